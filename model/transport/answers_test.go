package transport_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/model/transport"
)

// answering is a server that says the same bytes on each connection and ends it.
func answering(t *testing.T, said func() string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				if req, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(nc, said())
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestAnyAnswerIsReadAsByHTTPTransport: whatever a server sends, well formed, cut
// or neither, is an answer to one of us where it is one to net/http, and the same.
func TestAnyAnswerIsReadAsByHTTPTransport(t *testing.T) {
	var answer string
	url := answering(t, func() string { return answer })
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	agreed := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(rt, what) }
		text := pick("start", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 OK\r\n", "HTTP/1.1 503 Busy\r\n", "HTTP/1.1 204 None\r\n",
			"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n", "HTTP/1.1 200\n", "HTP/1.1 200 OK\r\n", "HTTP/1.1 two OK\r\n", "")
		for range rapid.IntRange(0, 3).Draw(rt, "headers") {
			text += pick("header", "Content-Length: 3\r\n", "Content-Length: 3\r\n", "Content-Length: 2\r\n", "Content-Length: 40\r\n", "Content-Length: x\r\n",
				"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: other\r\n", "Connection: close\r\n", "no header\r\n", "X: "+strings.Repeat("y", 5000)+"\r\n")
		}
		text += pick("between", "\r\n", "\r\n", "\n", "") +
			pick("body", "[1]", "3\r\n[1]\r\n0\r\n\r\n", "1\r\n[\r\n2\r\n1]\r\n0\r\n\r\n", "3\r\n[1]\r\n", "zz\r\n[1]\r\n0\r\n\r\n", "", "[1]HTTP/1.1 200 OK\r\n\r\n")
		if rapid.Bool().Draw(rt, "cut") {
			text = text[:rapid.IntRange(0, len(text)).Draw(rt, "at")]
		}
		answer = text
		want, failed := func() (string, bool) {
			resp, err := plain.Post(url, "application/json", strings.NewReader("[]"))
			if err != nil {
				return "", true
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			return string(body), err != nil || resp.StatusCode >= 300
		}()
		got, err := ask(t.Context(), transport.New(transport.Config{}), url, "[]")
		if (err != nil) != failed || (!failed && got != want) {
			rt.Fatalf("%q\nis %q, %v; to net/http %q, failed %v", text, got, err, want, failed)
		}
		agreed[failed]++
	})
	if agreed[true] == 0 || agreed[false] == 0 {
		t.Errorf("answers %d, failures %d: want some of each", agreed[false], agreed[true])
	}
}
