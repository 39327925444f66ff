package selfsum_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/mars-rec/mars/internal/selfsum"
)

type file struct {
	Name string `json:"name"`
	In   struct {
		Sum string `json:"sum"`
	} `json:"in"`
	Sum string `json:"sum"`
}

// TestEveryChangeIsSeen flips each bit of a file and cuts it at each byte.
func TestEveryChangeIsSeen(t *testing.T) {
	for _, indent := range []string{"", "  "} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetIndent("", indent)
		if err := enc.Encode(file{Name: `a "sum": "" of its own`}); err != nil {
			t.Fatal(err)
		}
		whole := selfsum.Fill(b.Bytes())
		var read file
		if err := selfsum.Check(whole); err != nil || json.Unmarshal(whole, &read) != nil || len(read.Sum) != 64 || read.In.Sum != "" {
			t.Fatalf("%s: %v", whole, err)
		}
		for at := range whole {
			for bit := range 8 {
				broken := bytes.Clone(whole)
				broken[at] ^= 1 << bit
				if selfsum.Check(broken) == nil {
					t.Errorf("bit %d of byte %d is flipped, and nobody sees it", bit, at)
				}
			}
			if at < len(whole)-1 && selfsum.Check(whole[:at]) == nil {
				t.Errorf("the file is cut to %d bytes, and nobody sees it", at)
			}
		}
	}
	if err := selfsum.Check([]byte(`{"name":"old"}`)); !errors.Is(err, selfsum.ErrNone) {
		t.Errorf("error is %v, want ErrNone", err)
	}
	if got := selfsum.Fill([]byte(`{}`)); string(got) != `{}` {
		t.Errorf("a file without the member became %s", got)
	}
}
