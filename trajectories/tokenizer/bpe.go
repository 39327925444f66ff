package tokenizer

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
	for len(s.queue) > 0 {
		s.join(s.queue.pop())
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

// before reports whether a candidate comes first: it was learnt before, or is
// the left one of equals.
func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// symbols are a piece while it is merged.
type symbols struct {
	m     *merges
	list  []symbol
	queue queue
}

// offer adds the join of a symbol with its right neighbour, if there is one.
func (s *symbols) offer(at int32) {
	next := s.list[at].next
	if next >= int32(len(s.list)) {
		return
	}
	left, right := s.list[at].id, s.list[next].id
	if j, ok := s.m.pairs[pair{left, right}]; ok {
		s.queue.push(candidate{j, at, left, right})
	}
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
	s.offer(c.at)
	if before := s.list[c.at].previous; before >= 0 {
		s.offer(before)
	}
}

// queue is a binary heap with the candidate that comes first at its head:
// container/heap would allocate each.
type queue []candidate

func (q *queue) push(c candidate) {
	*q = append(*q, c)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// pop takes the head of a queue that is not empty.
func (q *queue) pop() candidate {
	h := *q
	head, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(h[first]) {
				first = child
			}
		}
		if first == i {
			break
		}
		h[i], h[first] = h[first], h[i]
		i = first
	}
	*q = h
	return head
}
