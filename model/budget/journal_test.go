package budget_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
)

func journal(t *testing.T, path string, p budget.Prices) *budget.Journal {
	t.Helper()
	j, err := budget.OpenJournal(path, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// TestJournalGoesOn: a budget goes on where the last one ended, however it
// ended, and nothing that was paid is forgotten.
func TestJournalGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db.spend")
	cfg := budget.Config{Cost: budget.One, Prices: prices(t)}
	fails := errors.New("cut")
	for i, want := range []struct {
		calls, unknown int
		cost           string
	}{{2, 1, "0.00268"}, {4, 2, "0.00536"}, {6, 3, "0.00804"}} {
		cfg.Journal = journal(t, path, cfg.Prices)
		n := 0
		b, m := wrapped(t, cfg, "m", model.Func(func(context.Context, model.Request) (model.Reply, error) {
			if n++; n == 2 {
				return model.Reply{}, fails
			}
			return uses(1000, 50, 0), nil
		}))
		_, _ = m.Generate(t.Context(), ask(100))
		_, _ = m.Generate(t.Context(), ask(100))
		s := b.Statement()
		if s.Total.Calls != want.calls || s.Total.Unknown != want.unknown || s.Total.Cost != amount(t, want.cost) || s.By[0].Caller != "ranker" {
			t.Errorf("round %d: %+v", i, s.Total)
		}
		if i == 1 { // killed: nothing is closed
			continue
		}
		if err := cfg.Journal.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJournalOfAKilledProgram: cut anywhere, a journal tells of at least what
// was paid by then.
func TestJournalOfAKilledProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spend")
	cfg := budget.Config{Tokens: 1_000_000, Prices: prices(t), Journal: journal(t, path, prices(t))}
	type moment struct {
		bytes  int
		tokens int64 // that the provider had billed by then
	}
	var moments []moment
	billed := int64(0)
	_, m := wrapped(t, cfg, "m", model.Func(func(context.Context, model.Request) (model.Reply, error) {
		billed += 300
		b, _ := os.ReadFile(path)
		moments = append(moments, moment{len(b), billed})
		return uses(250, 50, 0), nil
	}))
	for range 6 {
		if _, err := m.Generate(t.Context(), ask(100)); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := strings.IndexByte(string(whole), '\n') + 1; cut <= len(whole); cut += 13 {
		var paid int64
		for _, m := range moments {
			if m.bytes <= cut {
				paid = m.tokens
			}
		}
		torn := filepath.Join(t.TempDir(), "torn")
		if err := os.WriteFile(torn, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := budget.New(budget.Config{Journal: journal(t, torn, prices(t))})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got := b.Statement().Total.Tokens(); got < paid {
			t.Fatalf("cut at %d: %d tokens told, %d were paid", cut, got, paid)
		}
	}
}

func TestJournalRefuses(t *testing.T) {
	dollars := prices(t)
	dollars.Currency = "USD"
	for name, c := range map[string]struct {
		text   string
		prices budget.Prices
		want   string
	}{
		"another currency": {`{"spend":1,"currency":"EUR"}` + "\n", dollars, "is in EUR, the prices are in USD"},
		"another version":  {`{"spend":3}` + "\n", dollars, "line 1"},
		"an empty file":    {"", dollars, "no header"},
		"another file":     {"hello\n", dollars, "line 1"},
		"a changed line":   {`{"spend":1}` + "\n" + `{"done":1,"role":"a","model":"m"}` + "\n", dollars, "line 2"},
		"an unknown key":   {`{"spend":1}` + "\n" + `{"done":1,"colour":2}` + "\n", dollars, "line 2"},
		"two headers":      {`{"spend":1}` + "\n" + `{"spend":1}` + "\n", dollars, "line 2"},
	} {
		path := filepath.Join(t.TempDir(), "spend")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := budget.OpenJournal(path, c.prices); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != c.text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// TestJournalPricesWhatCameBefore: calls that were made before anybody gave a
// price count with the one that is given, or stop a budget in money.
func TestJournalPricesWhatCameBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spend")
	j := journal(t, path, budget.Prices{})
	_, m := wrapped(t, budget.Config{Journal: j}, "m", model.Func(func(context.Context, model.Request) (model.Reply, error) { return uses(1000, 50, 0), nil }))
	if _, err := m.Generate(t.Context(), ask(0)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := budget.ReadPrices(strings.NewReader("currency: EUR\nmodels: {n: {input: 1, output: 1}}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := budget.New(budget.Config{Cost: 1, Prices: other, Journal: journal(t, path, other)}); err == nil || !strings.Contains(err.Error(), "price of m is not known") {
		t.Errorf("a cap over calls without a price: %v", err)
	}
	b, err := budget.New(budget.Config{Cost: 1, Prices: prices(t), Journal: journal(t, path, prices(t))})
	if err != nil || b.Statement().Total.Cost != amount(t, "0.0012") {
		t.Errorf("%v", err)
	}
}

func TestJournalThatCannotBeWrittenStopsCalls(t *testing.T) {
	j := journal(t, filepath.Join(t.TempDir(), "spend"), budget.Prices{})
	calls := 0
	_, m := wrapped(t, budget.Config{Tokens: 1_000_000, Journal: j}, "m", model.Func(func(context.Context, model.Request) (model.Reply, error) {
		calls++
		return uses(1, 1, 0), nil
	}))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Generate(t.Context(), ask(1)); err == nil || calls > 0 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestPricesAreReadStrictly(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "currency",
		"currency: US dollars":                   "one word",
		"currency: USD\nother: 1":                "other",
		"currency: USD\nmodels: {m: {input: 1}}": "want input and output",
		"currency: USD\nmodels: {m: {input: 1, output: -2}}":               "not an amount",
		"currency: USD\nmodels: {m: {input: 1e3, output: 2}}":              "not an amount",
		"currency: USD\nmodels: {m: {input: 0.0000001, output: 2}}":        "not an amount",
		"currency: USD\nmodels: {m: {input: 1, output: 2, price: 3}}":      "price",
		"currency: USD\nmodels: {m: {input: [1], output: 2}}":              "want an amount",
		"currency: USD\nmodels: {m: {input: 1, output: 1}, m: {}}":         "m",
		"currency: USD\nmodels: {m: {input: 1, output: 1, max_output: x}}": "x",
	} {
		if _, err := budget.ReadPrices(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestAmountIsExact(t *testing.T) {
	for text, want := range map[string]string{"5": "5.00", "0.15": "0.15", "12.500": "12.50", "0.000001": "0.000001", "999999.999999": "999999.999999"} {
		if got := amount(t, text).String(); got != want {
			t.Errorf("%s is written %s, want %s", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a := budget.Amount(rapid.Int64Min(0).Draw(t, "amount"))
		b, err := a.MarshalJSON()
		var back budget.Amount
		if err != nil || back.UnmarshalJSON(b) != nil || back != a {
			t.Fatalf("%d came back as %d from %s", a, back, b)
		}
		if r := a.Round(); r < a || r-a >= budget.One/1_000_000 {
			t.Fatalf("%s rounds to %s", a, r)
		}
	})
}
