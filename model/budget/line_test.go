package budget

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// TestLinesAreWrittenAsJSON: the lines of calls are what encoding/json writes.
func TestLinesAreWrittenAsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 2)
		amount := rapid.Custom(func(t *rapid.T) Amount { return Amount(rapid.Int64Range(0, 3_000_000_000_000).Draw(t, "amount")) })
		e := entry{Call: int64(n.Draw(t, "call")), Done: int64(n.Draw(t, "done")), Role: rapid.String().Draw(t, "role"), Model: rapid.String().Draw(t, "model"),
			Tokens: int64(n.Draw(t, "tokens")), Most: amount.Draw(t, "most"), Priced: rapid.Bool().Draw(t, "priced")}
		charge := func() *Charge {
			return &Charge{Calls: n.Draw(t, "calls"), Unknown: n.Draw(t, "unknown"), UnknownTokens: int64(n.Draw(t, "tokens")), Cost: amount.Draw(t, "cost"), Priced: rapid.Bool().Draw(t, "priced"),
				Usage: message.Usage{InputTokens: n.Draw(t, "in"), OutputTokens: n.Draw(t, "out"), CachedTokens: n.Draw(t, "cached")}}
		}
		if rapid.Bool().Draw(t, "charged") || e == (entry{}) {
			e.Call = 1 // a line names its call
			e.Charge = charge()
		}
		if rapid.Bool().Draw(t, "amended") && e.Charge != nil {
			e.Counted = charge()
		}
		want, err := message.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		w := rawjson.NewWriter(nil)
		e.write(w)
		if got, ok := w.Done(); !ok || string(got) != string(want) {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}
