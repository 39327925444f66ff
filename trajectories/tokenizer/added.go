package tokenizer

// trie finds added tokens in a text: the first that stands there, and of those
// that start at the same byte the longest.
type trie struct {
	nodes  []node    // the first is the root
	starts [256]bool // bytes that some token starts with
}

// node is a place in the trie; id is -1 where no token ends.
type node struct {
	next map[byte]int32
	id   int32
}

func newTrie() *trie { return &trie{nodes: []node{{id: -1}}} }

// add puts a token into the trie. It is not empty.
func (t *trie) add(token string, id int32) {
	at := int32(0)
	t.starts[token[0]] = true
	for i := range len(token) {
		next, ok := t.nodes[at].next[token[i]]
		if !ok {
			next = int32(len(t.nodes))
			t.nodes = append(t.nodes, node{id: -1})
			if t.nodes[at].next == nil {
				t.nodes[at].next = map[byte]int32{}
			}
			t.nodes[at].next[token[i]] = next
		}
		at = next
	}
	t.nodes[at].id = id
}

// cut calls f for each token of a text, and, with an id of -1, for what stands
// between them, in order. Empty pieces are left out.
func (t *trie) cut(text string, f func(from, to int, id int32)) {
	from := 0
	for i := 0; i < len(text) && len(t.nodes) > 1; {
		length, id := 0, int32(0)
		if t.starts[text[i]] {
			length, id = t.longest(text[i:])
		}
		if length == 0 {
			i++
			continue
		}
		if from < i {
			f(from, i, -1)
		}
		f(i, i+length, id)
		i += length
		from = i
	}
	if from < len(text) {
		f(from, len(text), -1)
	}
}

// longest returns the length and id of the longest token that s starts with;
// length 0: none.
func (t *trie) longest(s string) (length int, id int32) {
	at := int32(0)
	for i := range len(s) {
		next, ok := t.nodes[at].next[s[i]]
		if !ok {
			break
		}
		at = next
		if t.nodes[at].id >= 0 {
			length, id = i+1, t.nodes[at].id
		}
	}
	return length, id
}
