package tools_test

import (
	"testing"

	"github.com/mars-rec/mars/message/messagetest"
	"github.com/mars-rec/mars/tools"
)

// FuzzResult holds how results read and write their JSON to encoding/json.
func FuzzResult(f *testing.F) {
	for _, s := range []string{`{"call":"c","tool":"t","value":{"a":[1, 2]}}`, `{"call":"c","tool":"t","error":"no"}`, `{"call":"c","tool":"t"}`, `{"call":"c","tool":"t","value":null}`,
		`{"tool":"t","call":"c"}`, `{"call":"c","tool":"t","value":1,"value":2}`, `{"call":"c","tool":"t","value":}`, `{}`, `null`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { messagetest.JSON[tools.Result](t, text) })
}
