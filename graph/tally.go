package graph

// tally is what was seen in a part of the entries.
type tally struct {
	users, items []uint32 // by number: how many entries there are
	user, item   uint32   // the highest numbers
	ratings      [256]bool
	first, last  uint32 // times
	inOrder      bool   // of time
}

// count counts the entries, in as many parts as are worked on at once, unless
// that is done.
func (b *builder) count() {
	if b.tallies != nil {
		return
	}
	b.tallies = make([]tally, b.workers())
	b.each(len(b.tallies), func(part int) {
		t := &b.tallies[part]
		t.users, t.items = make([]uint32, len(b.users.ids)), make([]uint32, len(b.items.ids))
		t.inOrder = true
		started := false
		b.eachStretch(part, len(b.tallies), func(entries []entry) {
			if !started {
				t.first, started = entries[0].time, true
				t.last = t.first
			}
			for k := range entries {
				e := &entries[k]
				t.users[e.user]++
				t.items[e.item]++
				if e.time < t.last {
					t.inOrder = false
				}
				t.last = e.time
			}
		})
	})
}

// inOrder reports whether the entries, which are counted, are in the order of
// time.
func (b *builder) inOrder() bool {
	last, n := uint32(0), b.len()
	for part, t := range b.tallies {
		if part*n/len(b.tallies) == (part+1)*n/len(b.tallies) {
			continue // nothing in it
		}
		if !t.inOrder || t.first < last {
			return false
		}
		last = t.last
	}
	return true
}

// counters returns counters with room for a number, unless that is more than
// most.
func counters(have []uint32, number uint32, most int) []uint32 {
	if int(number) < len(have) || int(number) > most {
		return have
	}
	more := roomFor[uint32](min(max(2*len(have), int(number)+1, 1<<12), most+1))
	copy(more, have)
	return more
}

// highest returns the highest number that is counted.
func highest(counts []uint32) uint32 {
	k := len(counts)
	for k > 1 && counts[k-1] == 0 {
		k--
	}
	return uint32(max(0, k-1))
}
