package export_test

import (
	"context"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/mask"
	"github.com/mars-rec/mars/trajectories/tokenizer"
)

// TestNoRowIsCut: what a trainer would cut is left out and counted, and the
// manifest says how long the others are.
func TestNoRowIsCut(t *testing.T) {
	tk, err := tokenizer.Load(filepath.Join("..", "tokenizer", "testdata", "tiny.json"))
	if err != nil {
		t.Fatal(err)
	}
	short, long := run("t1", answer), run("t2", strings.Replace(answer, "2 users", "2 users, who read a lot,", 1))
	count := func(limit int) export.Manifest {
		cfg := export.Config{Tools: specs, Tokenizer: tk, MaxLength: limit}
		m, err := export.Write(context.Background(), t.TempDir(), export.TRLSFT, cfg, sifted(groups(short, long), filter.Valid(trajectories.Linear{}, nil)), export.Source{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	all := count(0)
	if n := all.Tokens; n.Tokenizer != tk.Digest() || n.Trained == 0 || n.Trained >= n.All || n.Longest <= n.All/2 {
		t.Errorf("tokens %+v", n)
	}
	if all.Template.Name != mask.Training || len(all.Template.SHA256) != 64 {
		t.Errorf("template %+v", all.Template)
	}
	longest := all.Tokens.Longest
	if m := count(longest); m.Rows != 2 || m.Tokens.All != all.Tokens.All {
		t.Errorf("at the longest row's length: %d rows, %+v", m.Rows, m.Tokens)
	}
	// The end of the turn is two tokens, <|im_end|> and a line end.
	for limit, want := range map[int]string{longest - 1: "within the end", longest - 2: "before the end", longest - 3: "within the recommend"} {
		m := count(limit)
		counts := filter.Count{Filter: "length", In: 2, Kept: 1, Dropped: map[string]int{"it would be cut " + want: 1}}
		if m.Rows != 1 || !reflect.DeepEqual(m.Filters[1], counts) || m.Tokens.All != all.Tokens.All-longest {
			t.Errorf("at %d: %d rows, %+v, %+v", limit, m.Rows, m.Filters, m.Tokens)
		}
	}
}

func TestALengthNeedsATokenizer(t *testing.T) {
	for limit, want := range map[int]string{100: "needs the tokenizer", -1: "-1 tokens"} {
		_, err := export.Write(context.Background(), t.TempDir(), export.TRLSFT, export.Config{Tools: specs, MaxLength: limit}, all(run("t1", answer)), export.Source{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("limit %d: error %v, want %q", limit, err, want)
		}
	}
}
