package modeltest_test

import (
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/modeltest"
)

func TestScript(t *testing.T) {
	modeltest.Run(t, func(_ *testing.T, far model.Model) model.Model { return far }, modeltest.Lacks{})
}

func TestRetry(t *testing.T) {
	modeltest.Run(t, func(_ *testing.T, far model.Model) model.Model {
		return model.Retry(far, model.RetryConfig{})
	}, modeltest.Lacks{})
}

func TestScriptEnds(t *testing.T) {
	s := modeltest.NewScript(modeltest.Say("one"))
	for i, want := range []bool{true, false} {
		if _, err := s.Generate(t.Context(), model.Request{}); (err == nil) != want {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	if len(s.Requests()) != 2 {
		t.Errorf("%d requests are remembered", len(s.Requests()))
	}
}
