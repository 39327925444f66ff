package model

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// Error is a call that came to no reply, with what a caller may do about it.
// Adapters return it wherever they know; Err says what happened and where.
type Error struct {
	Status     int           // HTTP status; 0: the failure has none
	RetryAfter time.Duration // what the provider asked to wait; 0: it did not say
	Temporary  bool          // the same request may succeed later
	Unbilled   bool          // it never reached the provider, or was turned away before any work
	Err        error
}

// Errors that wrappers return.
var (
	// ErrBudget says that a call could cost more than is left. No wrapper tries
	// again or elsewhere: who set the budget decides.
	ErrBudget = errors.New("the budget is reached")
	// ErrOpen says that a [Breaker] lets no call through to a provider that
	// fails.
	ErrOpen = errors.New("the circuit breaker is open")
)

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Unbilled reports whether it is certain that a failed call cost nothing: what
// an [Error] says of itself. Of any other failure nobody knows: a time limit or
// a broken connection may end a call whose tokens are billed all the same.
func Unbilled(err error) bool {
	var known *Error
	return errors.As(err, &known) && known.Unbilled
}

// Temporary reports whether the same request may succeed later: what an
// [Error] says of itself; for other errors, whether the network or a time limit
// is to blame.
func Temporary(err error) bool {
	var known *Error
	if errors.As(err, &known) {
		return known.Temporary
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return true
	}
	for _, cause := range []error{
		context.DeadlineExceeded, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.ECONNABORTED, syscall.EPIPE,
	} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
