package environment

import "context"

// most is how many results a session keeps for those who ask again.
const most = 4

// kept is the result of something that is done once, or will be its result.
type kept struct {
	key   string
	done  chan struct{}
	value []byte
}

// Once does something under a key and keeps the result, so that a client whose
// connection broke can ask for it again with [Session.Again] instead of acting
// twice. The last few results are kept.
func (s *Session) Once(key string, do func() []byte) []byte {
	k := &kept{key: key, done: make(chan struct{})}
	s.mu.Lock()
	if s.kept = append(s.kept, k); len(s.kept) > most {
		s.kept = s.kept[1:]
	}
	s.mu.Unlock()
	defer close(k.done)
	k.value = do()
	return k.value
}

// Again waits for what is done under the key and returns its result; false if
// the session keeps nothing under it.
func (s *Session) Again(ctx context.Context, key string) ([]byte, bool, error) {
	s.mu.Lock()
	var found *kept
	for _, k := range s.kept {
		if k.key == key {
			found = k
		}
	}
	s.mu.Unlock()
	if found == nil {
		return nil, false, nil
	}
	select {
	case <-found.done:
		return found.value, true, nil
	case <-ctx.Done():
		return nil, true, ctx.Err()
	}
}
