package genai

import (
	"context"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/model"
)

// Values of [ErrorType] beside the HTTP status of a provider's refusal.
const (
	TimedOut    = "timeout"
	Connection  = "connection"   // no whole response came
	BreakerOpen = "breaker_open" // the call was not made: the provider fails
	OverBudget  = "budget"       // the call was not made: it could cost more than is left
	Cancelled   = "cancelled"    // the caller gave up
	BadInput    = "input"        // the model's mistake, which a tool has told it
	Unusable    = "reply"        // the model answered twice what cannot be read
	Other       = "_OTHER"
)

// FailureOf is the class of the error that a call to a model ended with; "" for
// none. There are few classes, so that failures can be counted by them.
func FailureOf(err error) string {
	var known *model.Error
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, model.ErrBudget):
		return OverBudget
	case errors.Is(err, model.ErrOpen):
		return BreakerOpen
	case errors.As(err, &known) && known.Status >= 400:
		return strconv.Itoa(known.Status)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return TimedOut
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return FailureIn(err.Error())
}

// status is how an HTTP status is told in the text of an error.
var status = regexp.MustCompile(`\bstatus ([45]\d\d)\b`)

// FailureIn is the class of a failure of which only the text is left, as in the
// record of a run; the same as [FailureOf] where the text tells it.
func FailureIn(text string) string {
	found := status.FindStringSubmatch(text)
	said := func(err error) bool { return strings.Contains(text, err.Error()) }
	switch {
	case text == "":
		return ""
	case said(model.ErrBudget):
		return OverBudget
	case said(model.ErrOpen):
		return BreakerOpen
	case found != nil:
		return found[1]
	case said(context.DeadlineExceeded), strings.Contains(text, "no ranking within"), strings.Contains(text, "no reply within"):
		return TimedOut
	case said(context.Canceled):
		return Cancelled
	case strings.Contains(text, "connection: "), strings.Contains(text, "the stream ended before"):
		return Connection
	case strings.Contains(text, "cannot be used after a repair"):
		return Unusable
	}
	return Other
}
