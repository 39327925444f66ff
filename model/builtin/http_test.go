package builtin_test

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/openai"
	"github.com/mars-rec/mars/model/openai/server"
)

// TestOverHTTP: the same requests, in process and through a server and a client
// over HTTP, in every mode of the client, get the same message and finish.
func TestOverHTTP(t *testing.T) {
	direct := builtin.New(builtin.Config{})
	s := httptest.NewServer(server.New(direct, server.Config{Name: "builtin", Clock: func() time.Time { return time.Unix(1, 0) }}))
	defer s.Close()
	proof := phase.WriteEvidence([]phase.Evidence{evidence("item_cf", "c01 0.3", "c02 0", "c03 0", "c04 0"), evidence("user_cf", "c02 2", "c01 0", "c03 0", "c04 0")})
	requests := map[string]model.Request{
		"plan":       asked("plan", phase.PlanSchema(roleNames), task),
		"calls":      asked("analysis", phase.AnalysisSchema("recent"), task, "item_cf", "user_history", "item_info"),
		"analysis":   analysed("historical", task, `{"evidence":["Users who read \"A < B & C\" also read \"λ\": 3 of 4."],"rankings":[]}`, "error: <none>"),
		"reflection": asked("reflection", phase.ReflectionSchema(roleNames), task+proof),
		"recommend":  asked("recommend", phase.RecommendSchema([]string{"c01", "c02", "c03", "c04"}), task+proof),
		"summary":    asked("summary", phase.SummarySchema(), "- 2018-03-04 Dune (1965) | by F. Herbert | Science Fiction | 4.5\n"),
		"no format":  {Messages: []model.Message{{Role: model.User, Content: "Who?"}}},
		"no rule":    asked("sonnet", []byte(`{"type":"object"}`), task),
	}
	for _, mode := range []openai.Mode{openai.Schema, openai.JSON, openai.Text} {
		far, err := openai.New("builtin", openai.Config{BaseURL: s.URL + "/v1", Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		for name, req := range requests {
			for _, stream := range []bool{false, true} {
				var streamed strings.Builder
				if stream {
					req.OnChunk = func(c model.Chunk) { streamed.WriteString(c.Content) }
				}
				got, gotErr := far.Generate(t.Context(), req)
				req.OnChunk = nil
				want, wantErr := direct.Generate(t.Context(), req)
				if (gotErr == nil) != (wantErr == nil) || model.Temporary(gotErr) {
					t.Errorf("%s: %s: error %v over HTTP, %v in process", mode, name, gotErr, wantErr)
				}
				if !reflect.DeepEqual(got.Message, want.Message) || got.Finish != want.Finish {
					t.Errorf("%s: %s, stream %v:\n%+v\nin process\n%+v", mode, name, stream, got, want)
				}
				if stream && streamed.String() != want.Message.Content {
					t.Errorf("%s: %s: streamed %q", mode, name, streamed.String())
				}
			}
		}
	}
}

func TestEqualRequestsHaveEqualReplies(t *testing.T) {
	req := asked("reflection", phase.ReflectionSchema(roleNames), task+phase.WriteEvidence([]phase.Evidence{evidence("item_cf", "c01 1", "c02 0")}))
	first, _ := builtin.New(builtin.Config{}).Generate(t.Context(), req)
	for range 50 {
		if again, _ := builtin.New(builtin.Config{}).Generate(t.Context(), req); !reflect.DeepEqual(again, first) {
			t.Fatalf("%+v, then %+v", first, again)
		}
	}
}
