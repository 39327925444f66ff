package orchestrator

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/dominikbraun/graph"
	"github.com/dominikbraun/graph/draw"
	"gopkg.in/yaml.v3"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
)

// Team is a workflow as data: seats, and who hears whom. The seats form a
// directed acyclic graph; the one way back, from a reflector to the analysts it
// hears, is bounded by Rounds.
type Team struct {
	Rounds int           `json:"rounds"`
	Seats  []agents.Seat `json:"seats"` // sorted by name
}

//go:embed team.yaml
var defaultTeam []byte

// DefaultTeam returns the MARS team: a planner, four analysts, a reflector and
// a ranker.
func DefaultTeam() Team {
	t, err := Team{}.Change(bytes.NewReader(defaultTeam))
	if err != nil {
		panic("orchestrator: team.yaml: " + err.Error())
	}
	return t
}

// Change applies a YAML file to the team and returns the result, checked. A
// role that is null is dropped (those who heard it hear whom it heard), a new
// name is added, the fields of a known name are replaced. An unknown key is an
// error that names its line.
func (t Team) Change(r io.Reader) (Team, error) {
	var file yaml.Node
	if err := yaml.NewDecoder(r).Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return Team{}, fmt.Errorf("team: %w", err)
	}
	t.Seats = slices.Clone(t.Seats)
	if len(file.Content) > 0 {
		var err error
		if t, err = t.change(file.Content[0]); err != nil {
			return Team{}, fmt.Errorf("team: %w", err)
		}
	}
	slices.SortFunc(t.Seats, func(a, b agents.Seat) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return t, t.Check()
}

func (t Team) change(file *yaml.Node) (Team, error) {
	for key, value := range fields(file) {
		switch key.Value {
		case "rounds":
			if err := value.Decode(&t.Rounds); err != nil {
				return t, fmt.Errorf("line %d: rounds is %q: want a number", value.Line, value.Value)
			}
		case "roles":
			if value.Kind != yaml.MappingNode {
				return t, fmt.Errorf("line %d: roles is no mapping of names to roles", value.Line)
			}
			for name, role := range fields(value) {
				var err error
				if t, err = t.changeRole(message.Address(name.Value), role); err != nil {
					return t, err
				}
			}
		default:
			return t, fmt.Errorf("line %d: unknown key %q: there are rounds and roles", key.Line, key.Value)
		}
	}
	if file.Kind != yaml.MappingNode && file.Tag != "!!null" {
		return t, fmt.Errorf("line %d: a team is a mapping with the keys rounds and roles", file.Line)
	}
	return t, nil
}

func (t Team) changeRole(name message.Address, role *yaml.Node) (Team, error) {
	seat, known := t.Seat(name)
	if role.Tag == "!!null" {
		if !known {
			return t, fmt.Errorf("line %d: there is no %s to drop: the roles are %s", role.Line, name, t.names())
		}
		return t.without(name), nil
	}
	if role.Kind != yaml.MappingNode {
		return t, fmt.Errorf("line %d: %s is neither null nor a mapping", role.Line, name)
	}
	for key := range fields(role) {
		if !slices.Contains(seatKeys, key.Value) {
			return t, fmt.Errorf("line %d: %s has no %q: there are %s", key.Line, name, key.Value, strings.Join(seatKeys, ", "))
		}
	}
	if err := role.Decode(&seat); err != nil {
		return t, fmt.Errorf("line %d: %s: %s", role.Line, name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	seat.Name = name
	t.Seats = slices.DeleteFunc(t.Seats, func(s agents.Seat) bool { return s.Name == name })
	t.Seats = append(t.Seats, seat)
	return t, nil
}

// seatKeys are the fields that a file can give a role.
var seatKeys = []string{"kind", "after", "tools", "model", "prompt", "steps", "tool_calls"}

// fields walks the keys and values of a mapping in the order of the file.
func fields(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// without returns the team with one seat less; those who heard it hear whom it
// heard.
func (t Team) without(name message.Address) Team {
	gone, _ := t.Seat(name)
	var seats []agents.Seat
	for _, s := range t.Seats {
		if s.Name == name {
			continue
		}
		if slices.Contains(s.After, name) {
			after := slices.Clone(s.After)
			after = slices.DeleteFunc(after, func(a message.Address) bool {
				return a == name || slices.Contains(gone.After, a)
			})
			s.After = append(after, gone.After...)
		}
		seats = append(seats, s)
	}
	return Team{t.Rounds, seats}
}

// Seat returns the seat of that name.
func (t Team) Seat(name message.Address) (agents.Seat, bool) {
	for _, s := range t.Seats {
		if s.Name == name {
			return s, true
		}
	}
	return agents.Seat{}, false
}

// heard returns the names of those whom the seat hears, sorted: the names and
// patterns of its After.
func (t Team) heard(s agents.Seat) ([]message.Address, error) {
	var names []message.Address
	for _, after := range s.After {
		pattern, found := string(after), strings.ContainsAny(string(after), "*?[")
		for _, other := range t.Seats {
			ok, err := path.Match(pattern, string(other.Name))
			if err != nil {
				return nil, fmt.Errorf("team: %s is after %q: %w", s.Name, after, err)
			}
			if ok && other.Name != s.Name {
				names, found = append(names, other.Name), true
			}
		}
		if !found {
			return nil, fmt.Errorf("team: %s is after %s, which does not exist: the roles are %s", s.Name, after, t.names())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (t Team) names() string {
	names := make([]string, len(t.Seats))
	for i, s := range t.Seats {
		names[i] = string(s.Name)
	}
	return strings.Join(names, ", ")
}

// Check reports what is wrong with the team: a name that does not exist, a
// cycle, a ranker that is missing or is not the last.
func (t Team) Check() error {
	if t.Rounds < 0 || t.Rounds > 8 {
		return fmt.Errorf("team: rounds is %d: want 0 to 8", t.Rounds)
	}
	g, err := t.graph()
	if err != nil {
		return err
	}
	heardBy, err := g.AdjacencyMap()
	if err != nil {
		return err
	}
	roles := map[string]message.Address{}
	var rankers []agents.Seat
	for _, s := range t.Seats {
		if s.Kind == "" {
			return fmt.Errorf("team: %s has no kind: planner, analyst, reflector or ranker", s.Name)
		}
		if s.Name == TeamAddress || s.Name == UserAddress {
			return fmt.Errorf("team: the name %s is taken by the team itself", s.Name)
		}
		if s.Steps < 0 || s.Steps > 64 || s.Calls < 0 || s.Calls > 256 {
			return fmt.Errorf("team: %s: steps must be 0 to 64 and tool_calls 0 to 256", s.Name)
		}
		if other, ok := roles[s.Role()]; ok {
			return fmt.Errorf("team: %s and %s share the role name %q", other, s.Name, s.Role())
		}
		roles[s.Role()] = s.Name
		if answers(s) {
			rankers = append(rankers, s)
		}
	}
	if len(rankers) != 1 {
		return fmt.Errorf("team: there are %d roles of the kind ranker: want 1", len(rankers))
	}
	for _, s := range t.Seats {
		switch heard := len(heardBy[string(s.Name)]) > 0; {
		case answers(s) && heard:
			return fmt.Errorf("team: %s must come last: nobody can be after it", s.Name)
		case !heard && !answers(s):
			return fmt.Errorf("team: nobody hears %s: put it into the after of another role", s.Name)
		}
	}
	return nil
}

// answers reports whether the seat gives the team's answer: a ranker, or a
// student, who works alone.
func answers(s agents.Seat) bool { return s.Kind == "ranker" || s.Kind == "student" }

// graph builds the workflow as a directed graph, in which an edge leads from
// who speaks to who hears.
func (t Team) graph() (graph.Graph[string, string], error) {
	g := graph.New(graph.StringHash, graph.Directed(), graph.PreventCycles())
	for _, s := range t.Seats {
		if err := g.AddVertex(string(s.Name), graph.VertexAttribute("shape", shape(s.Kind))); err != nil {
			return nil, fmt.Errorf("team: %s: %w", s.Name, err)
		}
	}
	for _, s := range t.Seats {
		heard, err := t.heard(s)
		if err != nil {
			return nil, err
		}
		for _, a := range heard {
			switch err := g.AddEdge(string(a), string(s.Name)); {
			case errors.Is(err, graph.ErrEdgeCreatesCycle):
				return nil, fmt.Errorf("team: %s after %s closes a cycle", s.Name, a)
			case err != nil:
				return nil, fmt.Errorf("team: %s after %s: %w", s.Name, a, err)
			}
		}
	}
	return g, nil
}

func shape(kind string) string {
	switch kind {
	case "planner", "ranker", "student":
		return "box"
	case "reflector":
		return "diamond"
	}
	return "ellipse"
}

// Layers returns the seats in the order of work: each layer hears only those
// before it, and its seats, sorted by name, can work at once.
func (t Team) Layers() [][]agents.Seat {
	depth := map[message.Address]int{}
	var at func(message.Address) int
	at = func(name message.Address) int {
		if d, ok := depth[name]; ok {
			return d
		}
		s, _ := t.Seat(name)
		heard, _ := t.heard(s) // checked with the team
		d := 0
		for _, a := range heard {
			d = max(d, at(a)+1)
		}
		depth[name] = d
		return d
	}
	var layers [][]agents.Seat
	for _, s := range t.Seats {
		d := at(s.Name)
		for len(layers) <= d {
			layers = append(layers, nil)
		}
		layers[d] = append(layers[d], s)
	}
	return layers
}

// DOT writes the workflow for Graphviz. The reflector's way back is drawn as a
// dashed edge.
func (t Team) DOT(w io.Writer) error {
	g, err := t.graph()
	if err != nil {
		return err
	}
	directed := graph.New(graph.StringHash, graph.Directed())
	if err := directed.AddVerticesFrom(g); err != nil {
		return err
	}
	if err := directed.AddEdgesFrom(g); err != nil {
		return err
	}
	for _, s := range t.Seats {
		if s.Kind != "reflector" || t.Rounds == 0 {
			continue
		}
		heard, err := t.heard(s)
		if err != nil {
			return err
		}
		for _, a := range heard {
			if other, _ := t.Seat(a); other.Kind != "analyst" {
				continue
			}
			err := directed.AddEdge(string(s.Name), string(a), graph.EdgeAttribute("style", "dashed"),
				graph.EdgeAttribute("label", fmt.Sprintf("revise, at most %d", t.Rounds)))
			if err != nil {
				return err
			}
		}
	}
	var buf bytes.Buffer
	if err := draw.DOT(directed, &buf, draw.GraphAttribute("rankdir", "LR")); err != nil {
		return err
	}
	_, err = w.Write(sortLines(buf.Bytes()))
	return err
}

// sortLines puts the statements between the braces in order, since the library
// walks a map.
func sortLines(dot []byte) []byte {
	lines := strings.Split(strings.TrimSpace(string(dot)), "\n")
	if len(lines) > 2 {
		body := lines[1 : len(lines)-1]
		kept := body[:0]
		for _, l := range body {
			if strings.TrimSpace(l) != "" {
				kept = append(kept, l)
			}
		}
		slices.Sort(kept)
		lines = append(append([]string{lines[0]}, kept...), lines[len(lines)-1])
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}
