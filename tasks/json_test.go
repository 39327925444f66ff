package tasks_test

import (
	"testing"

	"github.com/mars-rec/mars/message/messagetest"
	"github.com/mars-rec/mars/tasks"
)

// FuzzTask holds how a task reads and writes its JSON to encoding/json.
func FuzzTask(f *testing.F) {
	const task = `{"id":"t","dataset":"d","user":"u \"x\"","scenario":"classic","as_of":"2020-02-03T04:05:06.7Z","candidates":["a","b"]}`
	for _, s := range []string{task, `{"id":"t","dataset":"","user":"","scenario":"","as_of":"2020-02-03T04:05:06+01:00","candidates":null}`,
		`{"id":"t","dataset":"","user":"","scenario":"","as_of":"2020-02-30T04:05:06Z","candidates":[]}`, `{"id":"t","dataset":"","user":"","scenario":"","as_of":null,"candidates":[]}`,
		`{"user":"u","id":"t"}`, `{"id":"t","as_of":"\u0032020-02-03T04:05:06Z"}`, ` {}`, `null`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { messagetest.JSON[tasks.Task](t, text) })
}
