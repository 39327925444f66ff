package graph

// Encode and Decode are the snapshot in memory.
func Encode(g *Graph) []byte          { return g.encode() }
func Decode(b []byte) (*Graph, error) { return decode(b) }
