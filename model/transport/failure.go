package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/model"
)

// The longest that is read of a failure's body, and told of it.
const (
	maxFailure = 64 << 10
	maxTold    = 300
)

// refused is the error of a response whose status is not 2xx.
func (c *Client) refused(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxFailure))
	e := &model.Error{
		Status:     resp.StatusCode,
		RetryAfter: retryAfter(resp.Header, c.cfg.Clock),
		Temporary:  temporary(resp.StatusCode),
		Unbilled:   turnedAway(resp.StatusCode),
	}
	if to := resp.Header.Get("Location"); resp.StatusCode < 400 && to != "" {
		return c.errorf(e, "status %d: the server redirects to %s: give that as the base URL", resp.StatusCode, to)
	}
	text, ok := complaint(body)
	if !ok {
		text = describe(body)
	}
	return c.errorf(e, "status %d: %s", resp.StatusCode, text)
}

// temporary reports whether a status may be another one later.
func temporary(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}

// turnedAway reports whether a status says that a request was refused before
// any work was done for it. After the others (a gateway's time-out, a crash) the
// provider may have written the answer, and bill it.
func turnedAway(status int) bool {
	switch status {
	case http.StatusRequestTimeout, 499, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return false
	case http.StatusServiceUnavailable, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, 529:
		return true
	}
	return status < 500
}

// unexpected is the error of a 2xx response of another content type than the
// one that was asked for.
func (c *Client) unexpected(ctx context.Context, resp *http.Response, media, want string) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFailure))
	if err != nil {
		return c.broken(ctx, err)
	}
	if text, ok := complaint(body); ok {
		return c.errorf(reported(body), "status %d with an error in it: %s", resp.StatusCode, text)
	}
	if want == "" {
		want = "application/json"
	}
	return c.errorf(&model.Error{}, "status %d with content type %q, want %s: %s", resp.StatusCode, media, want, describe(body))
}

// complaint returns the message of the error that a JSON body carries, in any
// of the forms that servers use: {"error":{"message":"text"}}, {"error":"text"},
// and, where there are no choices beside it, {"message":"text"} or
// {"detail":"text"}.
func complaint(body []byte) (string, bool) {
	if answers(body) {
		return "", false
	}
	var b struct {
		Error           any
		Choices         json.RawMessage
		Message, Detail any
	}
	if json.Unmarshal(body, &b) != nil {
		return "", false
	}
	forms := []any{b.Error}
	if object, ok := b.Error.(map[string]any); ok {
		forms = []any{object["message"], object}
	} else if b.Choices == nil {
		forms = append(forms, b.Message, b.Detail)
	}
	for _, form := range forms {
		switch form := form.(type) {
		case string:
			if form != "" {
				return told(form), true
			}
		case map[string]any:
			if len(form) > 0 && b.Error != nil {
				text, _ := json.Marshal(form)
				return told(string(text)), true
			}
		}
	}
	return "", false
}

// answers reports whether a body has choices and no error, as nearly every body
// does; false means that it is to be looked at closely.
func answers(body []byte) bool {
	choices, odd := false, false
	r := rawjson.NewReader(body)
	r.Space()
	r.Members(func(name []byte) {
		switch {
		case string(name) == "choices":
			choices = r.At('[')
		case bytes.EqualFold(name, []byte("error")), bytes.EqualFold(name, []byte("choices")):
			odd = true
		}
		r.Value()
	})
	return choices && !odd && !r.Failed()
}

// reported is the error that a body carries under status 200. Gateways put the
// status that they mean into its code.
func reported(body []byte) *model.Error {
	var b struct {
		Error struct{ Code json.Number }
	}
	if json.Unmarshal(body, &b) != nil {
		return &model.Error{}
	}
	code, _ := b.Error.Code.Int64()
	if code < 400 || code > 599 {
		return &model.Error{}
	}
	return &model.Error{Status: int(code), Temporary: temporary(int(code)), Unbilled: turnedAway(int(code))}
}

// describe tells a person what a body is that is not an error in JSON.
func describe(body []byte) string {
	body = bytes.TrimSpace(body)
	switch lower := strings.ToLower(string(body[:min(len(body), 1024)])); {
	case len(body) == 0:
		return "no text"
	case strings.HasPrefix(lower, "<!doctype html") || strings.HasPrefix(lower, "<html"):
		if _, after, ok := strings.Cut(lower, "<title>"); ok {
			title, _, _ := strings.Cut(after, "</title>")
			return fmt.Sprintf("a page of HTML titled %q", told(title))
		}
		return "a page of HTML"
	}
	return told(string(body))
}

// told shortens foreign text to one printable line.
func told(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if r := []rune(s); len(r) > maxTold {
		s = string(r[:maxTold]) + "..."
	}
	return s
}

// retryAfter reads the wait that a server asks for: seconds or a date, or
// milliseconds under OpenAI's name.
func retryAfter(h http.Header, clock func() time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return capped(ms / 1000)
	}
	value := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		return capped(s)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(clock()))
	}
	return 0
}

// capped keeps a wait within what a duration holds; NaN and less than 0 are 0.
func capped(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, 1e9) * float64(time.Second))
}

func (c *Client) errorf(e *model.Error, format string, args ...any) error {
	e.Err = errors.New(c.Redact(fmt.Sprintf(format, args...)))
	return e
}

// Redact cuts the secrets out of a text.
func (c *Client) Redact(s string) string {
	for _, secret := range c.cfg.Secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[key]")
		}
	}
	return s
}
