package ego

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	lib "github.com/dominikbraun/graph"
	"github.com/dominikbraun/graph/draw"
)

// Graph returns the same as a directed graph of github.com/dominikbraun/graph,
// whose vertices are the nodes by key, and whose edges carry their [Edge] as
// data and the cosine in percent as weight. The library walks a map: who wants
// an order takes it from Nodes and Edges.
func (e *Ego) Graph() (lib.Graph[string, Node], error) {
	g := lib.New(func(n Node) string { return n.Key }, lib.Directed())
	for _, n := range e.Nodes {
		if err := g.AddVertex(n); err != nil {
			return nil, fmt.Errorf("node %s: %w", n.Key, err)
		}
	}
	for _, d := range e.Edges {
		if err := g.AddEdge(d.From, d.To, lib.EdgeData(d), lib.EdgeWeight(percent(d.Cosine))); err != nil {
			return nil, fmt.Errorf("edge from %s to %s: %w", d.From, d.To, err)
		}
	}
	return g, nil
}

func percent(cosine float64) int { return int(100*cosine + 0.5) }

// DOT writes the graph for Graphviz: users as ellipses, items as boxes, edges
// as thick as their cosine. The same Ego is always the same bytes.
func (e *Ego) DOT(w io.Writer) error {
	// The library writes names and attributes as they come. So a vertex is named
	// by its place, which also keeps the order once the lines are sorted.
	place := make(map[string]string, len(e.Nodes))
	g := lib.New(lib.StringHash, lib.Directed())
	for k, n := range e.Nodes {
		place[n.Key] = fmt.Sprintf("n%03d", k)
		look := map[string]string{"shape": "box", "label": quoted(name(n)) + `\n` + degree(n), "tooltip": quoted(n.Key)}
		if n.Kind == User {
			look["shape"] = "ellipse"
		}
		if e.asked(n) {
			look["penwidth"] = "2"
		}
		if err := g.AddVertex(place[n.Key], lib.VertexAttributes(look)); err != nil {
			return fmt.Errorf("node %s: %w", n.Key, err)
		}
	}
	for _, d := range e.Edges {
		err := g.AddEdge(place[d.From], place[d.To], lib.EdgeWeight(percent(d.Cosine)),
			lib.EdgeAttribute("label", quoted(e.upper(d))+`\n`+e.lower(d)),
			lib.EdgeAttribute("penwidth", fmt.Sprintf("%.1f", thickness(d)/2)))
		if err != nil {
			return fmt.Errorf("edge from %s to %s: %w", d.From, d.To, err)
		}
	}
	var buf bytes.Buffer
	err := draw.DOT(g, &buf, draw.GraphAttribute("rankdir", "LR"), draw.GraphAttribute("labelloc", "t"),
		draw.GraphAttribute("label", quoted(e.heading())+`\n`+e.subheading()))
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, sortStatements(buf.String()))
	return err
}

// quoted makes a foreign text fit to stand between the quotes of DOT.
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(legible(s))
}

// sortStatements puts the lines between the braces in order: the library writes
// each statement on a line of its own, in the order of a map.
func sortStatements(dot string) string {
	lines := strings.Split(strings.TrimSpace(dot), "\n")
	body := slices.DeleteFunc(lines[1:len(lines)-1], func(l string) bool { return strings.TrimSpace(l) == "" })
	slices.Sort(body)
	return lines[0] + "\n" + strings.Join(body, "\n") + "\n}\n"
}
