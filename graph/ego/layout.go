package ego

import (
	"math"
	"slices"
)

// The measures of a picture, in pixels.
const (
	margin     = 28
	header     = 92 // height of title and subtitle
	footer     = 56 // height of the key
	hubWidth   = 212
	cardWidth  = 330
	cardHeight = 66
	gap        = 14  // between cards
	captionGap = 32  // above the first card of a group
	fan        = 116 // where edges spread from a hub
	reach      = 152
	lineStep   = 13 // between the edges at a hub, where there is room
	maxRadius  = 20 // of the highest degree
	minRadius  = 3
)

// box is a node in its place. A hub is what the picture is about; the others
// are cards, one below the other in columns.
type box struct {
	Node
	hub        bool
	x, y, w, h float64
	radius     float64 // its area shows the degree, among nodes of its kind
	title      []string
}

func (b box) middle() float64 { return b.y + b.h/2 }

// line is an edge in its place: from a hub, spread to the height of its card,
// then straight, where its two texts stand.
type line struct {
	Edge
	hubX, hubY   float64
	bendX        float64 // where the straight part begins
	cardX, cardY float64
	hubY2        float64 // where it ends, if it joins two hubs
	textX        float64 // the texts' middle
}

type label struct {
	x, y float64
	text string
}

// scene is a picture before it is written.
type scene struct {
	width, height float64
	boxes         []box
	lines         []line
	captions      []label
}

// layout places everything. Between a user and an item the evidence stands in
// one column between the two; around one of them it stands left and right.
func (e *Ego) layout() scene {
	var s scene
	columnX, left, right, room := 0.0, 0.0, 0.0, float64(cardWidth)
	between := e.User != "" && e.Item != ""
	if between {
		columnX = margin + hubWidth + fan + reach
		left, right = columnX, columnX
		room += reach // beside a caption no edge passes
		s.width = columnX + cardWidth + reach + fan + hubWidth + margin
	} else {
		left = margin
		right = left + cardWidth + reach + fan + hubWidth + fan + reach
		s.width = right + cardWidth + margin
	}

	y := float64(header)
	bottom := y
	for k, g := range e.Groups {
		x := left
		if !between {
			y = header
			if k > 0 {
				x = right
			}
		}
		s.captions = append(s.captions, label{x, y + captionGap - 12, fit(e.caption(g), room, bold*captionSize)})
		y += captionGap
		for _, key := range g.Nodes {
			n, _ := e.Node(key)
			s.boxes = append(s.boxes, box{Node: n, x: x, y: y, w: cardWidth, h: cardHeight, title: wrap(name(n), cardWidth-cardText-12, bold*titleSize, 2)})
			y += cardHeight + gap
		}
		bottom = max(bottom, y)
	}
	s.placeHubs(e, (header+captionGap+bottom-gap)/2)
	for _, b := range s.boxes {
		bottom = max(bottom, b.y+b.h+gap)
	}
	if _, direct := e.Edge(UserKey(e.User), ItemKey(e.Item)); direct {
		bottom += 46 // a row of its own for the edge that needs no evidence
	}
	s.height = bottom + footer
	s.scale()
	s.placeLines(e, bottom-16)
	return s
}

// placeHubs adds what the picture is about, at the middle height.
func (s *scene) placeHubs(e *Ego, middle float64) {
	for _, n := range e.Nodes {
		if !e.asked(n) {
			continue
		}
		b := box{Node: n, hub: true, w: hubWidth, title: wrap(name(n), hubWidth-24, bold*hubTitleSize, 3)}
		b.h = max(2*maxRadius+58+19*float64(len(b.title)), min(28+lineStep*float64(e.busiest()), 320))
		b.y = max(header+8, middle-b.h/2)
		switch {
		case e.User == "" || e.Item == "":
			b.x = (s.width - hubWidth) / 2
		case n.Kind == User:
			b.x = margin
		default:
			b.x = s.width - margin - hubWidth
		}
		s.boxes = append(s.boxes, b)
	}
}

// busiest is the number of edges at the busier side of a hub.
func (e *Ego) busiest() int {
	all, most := 0, 0
	for _, g := range e.Groups {
		all += len(g.Nodes)
		most = max(most, len(g.Nodes))
	}
	if e.User != "" && e.Item != "" {
		return all
	}
	return most
}

// scale gives each node its radius: areas compare degrees of the same kind.
func (s *scene) scale() {
	most := map[Kind]int{}
	for _, b := range s.boxes {
		most[b.Kind] = max(most[b.Kind], b.Degree)
	}
	for k, b := range s.boxes {
		s.boxes[k].radius = max(minRadius, maxRadius*math.Sqrt(float64(b.Degree)/float64(most[b.Kind])))
	}
}

// placeLines joins hubs and cards. At a hub's side, edges keep the order of
// their cards, so that none crosses another.
func (s *scene) placeLines(e *Ego, directY float64) {
	at := map[string]box{}
	for _, b := range s.boxes {
		at[b.Key] = b
	}
	type side struct {
		hub   string
		right bool
	}
	sides := map[side][]int{} // positions in s.lines
	for _, d := range e.Edges {
		hub, card := at[d.From], at[d.To]
		if hub.hub && card.hub {
			s.lines = append(s.lines, line{Edge: d, hubX: hub.x + hub.w/2, hubY: hub.y + hub.h, cardX: card.x + card.w/2,
				cardY: directY, hubY2: card.y + card.h, textX: s.width / 2})
			continue
		}
		if !hub.hub {
			hub, card = card, hub
		}
		l := line{Edge: d, cardY: card.middle()}
		right := card.x > hub.x
		if right {
			l.hubX, l.cardX = hub.x+hub.w, card.x
			l.bendX, l.textX = card.x-reach, card.x-reach/2
		} else {
			l.hubX, l.cardX = hub.x, card.x+card.w
			l.bendX, l.textX = l.cardX+reach, l.cardX+reach/2
		}
		sides[side{hub.Key, right}] = append(sides[side{hub.Key, right}], len(s.lines))
		s.lines = append(s.lines, l)
	}
	for of, lines := range sides { // each side apart: the order of the map does not show
		hub := at[of.hub]
		slices.SortFunc(lines, func(a, b int) int { return int(s.lines[a].cardY - s.lines[b].cardY) })
		step := min(lineStep, (hub.h-28)/float64(len(lines)))
		for k, l := range lines {
			s.lines[l].hubY = hub.middle() + step*(float64(k)-float64(len(lines)-1)/2)
		}
	}
}

// thickness is the width of an edge: 14 pixels for a cosine of 1.
func thickness(d Edge) float64 {
	if d.Relation == Had {
		return 1.5
	}
	return max(1.5, 14*d.Cosine)
}
