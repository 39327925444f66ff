package budget_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model/budget"
)

// TestAmend: calls that were settled before anybody knew what they came to, and of
// which it is told after all, some of them more than once. The budget then counts
// what calls came to, never less and never more than its cap; and so does its
// journal, cut after any line.
func TestAmend(t *testing.T) {
	const most, cap = 180, 2_000
	path := filepath.Join(t.TempDir(), "spend")
	table := prices(t)
	rapid.Check(t, func(rt *rapid.T) {
		_ = os.Remove(path) // of the round before
		j := journal(t, path, table)
		b, err := budget.New(budget.Config{Tokens: cap, Prices: table, Journal: j})
		if err != nil {
			rt.Fatal(err)
		}
		type made struct {
			*budget.Reservation
			came  int64 // tokens
			known bool  // to the budget
		}
		var calls []*made
		sums := map[int]int64{} // what all calls came to, by the lines that the journal had then
		truth, told := int64(0), int64(0)
		note := func() {
			b, err := os.ReadFile(path)
			if err != nil {
				rt.Fatal(err)
			}
			sums[bytes.Count(b, []byte("\n"))] = truth
		}
		tell := func(m *made) {
			o := budget.Outcome{Free: m.came == 0}
			if !o.Free {
				o.Usage = &message.Usage{InputTokens: int(m.came) - 10, OutputTokens: 10}
			}
			if m.Amend(o); !m.known {
				told -= most - m.came
			}
			m.known = true
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			if pick := rapid.IntRange(-3, len(calls)-1).Draw(rt, "call"); pick >= 0 {
				tell(calls[pick])
			} else {
				if told+most > cap {
					continue
				}
				r, err := b.Reserve(rt.Context(), budget.Call{Model: "m", Caller: "ranker", Input: 80, Output: 100})
				if err != nil {
					rt.Fatal(err)
				}
				m := &made{Reservation: r, came: rapid.SampledFrom([]int64{0, 20, most}).Draw(rt, "came")}
				r.Amend(budget.Outcome{Free: true}) // it is not settled
				r.Settle(budget.Outcome{})
				r.Settle(budget.Outcome{Free: true}) // too late for that
				calls = append(calls, m)
				told += most
				truth += m.came
			}
			note()
			if got := b.Statement().Total; got.Tokens() != told || got.Tokens() < truth || got.Tokens() > cap {
				rt.Fatalf("%d tokens are told, want %d; %d is what calls came to", got.Tokens(), told, truth)
			}
		}
		cutEverywhere(rt, path, sums)
		want := b.Statement().Total
		if s, err := budget.ReadJournal(path); err != nil || s.Total != want {
			rt.Fatalf("the journal tells of %+v, want %+v: %v", s.Total, want, err)
		}
		if err := j.Close(); err != nil {
			rt.Fatal(err)
		}
		if s, err := budget.ReadJournal(path); err != nil || s.Total != want {
			rt.Fatalf("the closed journal tells of %+v, want %+v: %v", s.Total, want, err)
		}
	})
}

// cutEverywhere cuts a journal after each line: it tells of no less than what calls
// had come to when it had so many lines.
func cutEverywhere(t *rapid.T, path string, sums map[int]int64) {
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := path + ".torn"
	for n, end := 0, 0; end < len(whole); {
		n++
		end += bytes.IndexByte(whole[end:], '\n') + 1
		truth, ok := sums[n]
		if !ok {
			continue
		}
		if err := os.WriteFile(torn, whole[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := budget.ReadJournal(torn); err != nil || s.Total.Tokens() < truth {
			t.Fatalf("cut after line %d it tells of %d tokens, %d is what calls came to: %v", n, s.Total.Tokens(), truth, err)
		}
	}
}
