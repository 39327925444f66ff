package replay_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mars-rec/mars/model"
)

// nobody is a model that must not be called.
type nobody struct{ t *testing.T }

func (n nobody) Generate(context.Context, model.Request) (model.Reply, error) {
	n.t.Error("the replay called the model")
	return model.Reply{}, errors.New("nobody is here")
}
