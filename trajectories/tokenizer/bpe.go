package tokenizer

import "container/heap"

// merges are the pairs of tokens that byte-pair encoding joins, by the order
// in which they were learnt.
type merges struct {
	bytes   [256]int32       // the token of a single byte
	pairs   map[pair]joined  // what two neighbours become
	lengths []int            // bytes of each token, by id
	whole   map[string]int32 // pieces that are one token without any merge; nil: none
}

type pair struct{ left, right int32 }

type joined struct{ rank, id int32 }

// encode merges the bytes of a piece: of all neighbours that can be joined, the
// pair that was learnt first, the leftmost of equals, until none can be.
func (m *merges) encode(piece string) []int32 {
	if id, ok := m.whole[piece]; ok {
		return []int32{id}
	}
	s := symbols{m: m, list: make([]symbol, len(piece))}
	for i := range len(piece) {
		s.list[i] = symbol{m.bytes[piece[i]], int32(i - 1), int32(i + 1)}
	}
	for i := range len(piece) - 1 {
		s.offer(int32(i))
	}
	heap.Init(&s)
	for len(s.queue) > 0 {
		s.join(heap.Pop(&s).(candidate))
	}
	ids := make([]int32, 0, len(piece)/2+1)
	for i := int32(0); i < int32(len(piece)); i = s.list[i].next {
		ids = append(ids, s.list[i].id)
	}
	return ids
}

// symbol is a token of a piece with its neighbours, by where they start. A
// symbol that was joined to its left neighbour has the id -1.
type symbol struct{ id, previous, next int32 }

// candidate is a join that was possible when it was put into the queue: of the
// symbols left and right at a place.
type candidate struct {
	joined
	at          int32
	left, right int32
}

// symbols are a piece while it is merged. As a [heap.Interface] they are the
// candidates, the first learnt first.
type symbols struct {
	m     *merges
	list  []symbol
	queue []candidate
}

// offer adds the join of a symbol with its right neighbour, if there is one.
func (s *symbols) offer(at int32) bool {
	next := s.list[at].next
	if next >= int32(len(s.list)) {
		return false
	}
	left, right := s.list[at].id, s.list[next].id
	j, ok := s.m.pairs[pair{left, right}]
	if ok {
		s.queue = append(s.queue, candidate{j, at, left, right})
	}
	return ok
}

// join carries out a candidate, unless another join has taken a part of it.
func (s *symbols) join(c candidate) {
	next := s.list[c.at].next
	if s.list[c.at].id != c.left || next >= int32(len(s.list)) || s.list[next].id != c.right {
		return
	}
	after := s.list[next].next
	s.list[next].id = -1
	s.list[c.at].id, s.list[c.at].next = c.id, after
	if after < int32(len(s.list)) {
		s.list[after].previous = c.at
	}
	if s.offer(c.at) {
		heap.Fix(s, len(s.queue)-1)
	}
	if before := s.list[c.at].previous; before >= 0 && s.offer(before) {
		heap.Fix(s, len(s.queue)-1)
	}
}

func (s *symbols) Len() int { return len(s.queue) }
func (s *symbols) Less(i, j int) bool {
	a, b := s.queue[i], s.queue[j]
	return a.rank < b.rank || a.rank == b.rank && a.at < b.at
}
func (s *symbols) Swap(i, j int) { s.queue[i], s.queue[j] = s.queue[j], s.queue[i] }

// Push implements [heap.Interface].
func (s *symbols) Push(v any) { s.queue = append(s.queue, v.(candidate)) }

// Pop implements [heap.Interface].
func (s *symbols) Pop() any {
	last := s.queue[len(s.queue)-1]
	s.queue = s.queue[:len(s.queue)-1]
	return last
}
