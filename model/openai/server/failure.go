package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/mars-rec/mars/model"
)

// refusal is an error in OpenAI's form.
type refusal struct {
	status  int
	kind    string // OpenAI's type
	code    string
	message string
}

func (r *refusal) Error() string { return r.message }

func invalid(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, "invalid_request_error", "invalid_request", fmt.Sprintf(format, args...)}
}

// refused gives any error OpenAI's form. What the model says will fail again is
// the request's fault (400); what it cannot tell is the server's (500).
func refused(err error) *refusal {
	var known *refusal
	var failed *model.Error
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &long):
		return &refusal{http.StatusRequestEntityTooLarge, "invalid_request_error", "too_large",
			fmt.Sprintf("the request is longer than %d bytes", long.Limit)}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{http.StatusGatewayTimeout, "server_error", "timeout", "the model did not answer in time"}
	case errors.As(err, &failed) && failed.Status >= 400:
		return &refusal{failed.Status, kind(failed.Status), "model_error", err.Error()}
	case errors.As(err, &failed) && failed.Temporary:
		return &refusal{http.StatusServiceUnavailable, "server_error", "model_error", err.Error()}
	case errors.As(err, &failed):
		return &refusal{http.StatusBadRequest, "invalid_request_error", "model_error", err.Error()}
	}
	return &refusal{http.StatusInternalServerError, "server_error", "model_error", err.Error()}
}

func kind(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status < 500:
		return "invalid_request_error"
	}
	return "server_error"
}

// body is OpenAI's error object.
func (r *refusal) body() map[string]any {
	return map[string]any{"error": map[string]any{"message": r.message, "type": r.kind, "param": nil, "code": r.code}}
}

// fail answers with an error, and with the wait that the model was asked for.
func fail(w http.ResponseWriter, err error) {
	var failed *model.Error
	if errors.As(err, &failed) && failed.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(failed.RetryAfter.Seconds()))))
	}
	r := refused(err)
	write(w, r.status, r.body())
}
