package model

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

const (
	requestRule = "model/1"
	callRule    = "tool/1"
)

// Digest identifies a request to the model of the given name: version and
// SHA-256, in hex, over the name and the request's canonical JSON. Fields that
// are not set are not part of it, so a new field leaves old digests as they were.
func Digest(name string, req Request) string {
	return digest(requestRule, name, req.WriteJSON, func() error { // a Format or ToolSpec whose schema is not JSON
		_, err := message.Marshal([]any{requestRule, name, req})
		return err
	})
}

// CallDigest identifies a tool call in the same way.
func CallDigest(call ToolCall) string {
	return digest(callRule, call.Name, func(w *rawjson.Writer) { w.String(call.Arguments) }, nil)
}

// digest is over the JSON array of a version, a name and what write writes; over
// the first two and what is wrong with the third, if it has no JSON.
func digest(version, name string, write func(w *rawjson.Writer), wrong func() error) string {
	var sum [sha256.Size]byte
	ok := message.Write(func(w *rawjson.Writer) {
		w.Text("[")
		w.String(version)
		w.Text(",")
		w.String(name)
		w.Text(",")
		write(w)
		w.Text("]")
	}, func(text []byte) { sum = sha256.Sum256(text) })
	if !ok {
		sum = sha256.Sum256([]byte(version + name + wrong().Error()))
	}
	return spell(version, sum[:])
}

// spell writes a digest as text.
func spell(version string, sum []byte) string {
	text := make([]byte, 0, 2*sha256.Size+16)
	return rawjson.Text(hex.AppendEncode(append(append(text, version...), ':'), sum))
}
