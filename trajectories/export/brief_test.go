package export_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
)

func TestBriefRows(t *testing.T) {
	short, err := trajectories.Brief.Specs(specs)
	if err != nil {
		t.Fatal(err)
	}
	cfg := export.Config{Tools: short, Linear: trajectories.Linear{Detail: trajectories.Brief}}
	m, err := export.Write(context.Background(), t.TempDir(), export.TRLSFT, cfg, all(run("t1", answer)), export.Source{})
	if err != nil || m.Detail != trajectories.Brief || m.Rows != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	full, err := trajectories.OpeningDigest()
	if err != nil || m.Prompt == full {
		t.Errorf("the manifest has the prompt %s of full rows, %v", m.Prompt, err)
	}
	x, err := export.New(export.TRLSFT, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := x.Export(context.Background(), &out, groups(run("t1", answer))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"content":"Candidates: 3, from c01 on."`, `"content":"item_cf: c02:9 c01:4 c03:0"`, `<recommend>[\"c02\", \"c01\", \"c03\"]</recommend>`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in %s", want, out.String())
		}
	}
	for _, never := range []string{"Dune", "2 users", "c02 leads"} {
		if strings.Contains(out.String(), never) {
			t.Errorf("a brief row tells %q: %s", never, out.String())
		}
	}
}
