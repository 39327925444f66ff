package graph

import (
	"bytes"
	"slices"
)

// Encode and Decode are the snapshot in memory.
func Encode(g *Graph) []byte {
	var b bytes.Buffer
	if err := g.write(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func Decode(b []byte) (*Graph, error) {
	copied := aligned(len(b))
	copy(copied, b)
	g, err := parse(copied)
	if err == nil {
		err = g.verify(copied)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Kernels are the ways to count that a query can be made to use.
func Kernels() map[string]func(Query) Query {
	ways := map[string]func(Query) Query{}
	for name, k := range map[string]kernel{"any": anyKernel, "sparse": sparseKernel, "dense": denseKernel, "wide": wideKernel, "pull": pullKernel} {
		ways[name] = func(q Query) Query { q.kernel = k; return q }
	}
	return ways
}

// SimilarUsersBy is SimilarUsers, counted in a way of [Kernels].
func (c *Cut) SimilarUsersBy(name string, u User, k, support int) []Peer {
	ways := map[string]kernel{"any": anyKernel, "sparse": sparseKernel, "dense": denseKernel, "wide": wideKernel}
	s := c.g.scratch()
	defer c.g.release(s)
	var peers []Peer
	for _, f := range c.nearUsers(s, uint32(u), UserQuery{Neighbours: k, Support: support}, ways[name]) {
		peers = append(peers, Peer{User(f.id), int(f.shared), int(f.degree), cosine(f.shared, s.best.middle, f.degree)})
	}
	return peers
}

// DecodeDelta returns the rows of a delta file.
func DecodeDelta(b []byte) ([]Interaction, error) {
	log, _, err := decodeDelta(b)
	return log, err
}

// PlantDegrees makes the cut take the degrees of all items but one from the
// whole log: a leak, which tests must find.
func (c *Cut) PlantDegrees(but Item) {
	whole := slices.Clone(c.g.items.offsets[1:])
	whole[but] = c.g.items.end(uint32(but), c.m)
	c.m.items.known.Store(&whole)
}

// PlantHistories makes the cut take the lists of users, and with them their
// degrees, from the whole log.
func (c *Cut) PlantHistories() {
	whole := slices.Clone(c.g.users.offsets[1:])
	c.m.users.known.Store(&whole)
}
