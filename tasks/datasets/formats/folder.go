package formats

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// folder is the directory that is read: the one that was named, or the one of
// the file that was named. Files go by their plain names: reviews.json may lie
// there as reviews.json, reviews.json.gz or reviews.json.zst.
type folder struct {
	path  string
	given string              // plain name of the file that was named; "" for a directory
	names []string            // plain names, sorted
	files map[string]string   // plain name to the file to read
	twins map[string][]string // file to read to those that are the same under another packing
}

// openFolder lists the directory at path or around the file at path.
func openFolder(path string) (folder, error) {
	info, err := os.Stat(path)
	if err != nil {
		return folder{}, err
	}
	d := folder{path: path, files: make(map[string]string), twins: make(map[string][]string)}
	if !info.IsDir() {
		d.path, d.given = filepath.Dir(path), plainName(filepath.Base(path))
		d.add(filepath.Base(path))
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return folder{}, err
	}
	// By length, so that the file that is not packed comes before its twins.
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return len(a.Name()) - len(b.Name()) })
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(d.path, e.Name())); err == nil && info.Mode().IsRegular() {
			d.add(e.Name())
		}
	}
	slices.Sort(d.names)
	return d, nil
}

func (d *folder) add(name string) {
	plain := plainName(name)
	first, ok := d.files[plain]
	switch {
	case !ok:
		d.files[plain] = name
		d.names = append(d.names, plain)
	case first != name:
		d.twins[first] = append(d.twins[first], name)
	}
}

// plainName is a file's name without the ending of its packing.
func plainName(name string) string {
	for _, end := range []string{".gz", ".zst"} {
		if s, ok := strings.CutSuffix(name, end); ok && s != "" {
			return s
		}
	}
	return name
}

// has reports whether all the files are there, by their plain names.
func (d folder) has(plain ...string) bool {
	for _, p := range plain {
		if _, ok := d.files[p]; !ok {
			return false
		}
	}
	return true
}

// match returns the plain names that fit, sorted.
func (d folder) match(fits func(plain string) bool) []string {
	var found []string
	for _, p := range d.names {
		if fits(p) {
			found = append(found, p)
		}
	}
	return found
}

// missing is the error of a folder, or of a file that was named, which is not
// what a format reads.
func (d folder) missing(want string) error {
	if d.given != "" {
		return &Error{File: filepath.Join(d.path, d.files[d.given]), Want: want, Got: "a file of another name"}
	}
	return d.lacks(want)
}

// lacks is the error of a folder without a file that a format needs.
func (d folder) lacks(want string) error {
	got := "no files"
	if len(d.names) > 0 {
		got = shorten(strings.Join(d.names, ", "), 200)
	}
	return &Error{File: d.path, Want: want, Got: got}
}

// keys returns the keys of the JSON object on the first line of a file; nil if
// there is none.
func (d folder) keys(plain string) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(d.head(plain)), &object) != nil {
		return nil
	}
	return object
}

// head returns the first line of a file, unpacked, up to 1 MiB; "" if it cannot
// be read.
func (d folder) head(plain string) string {
	name, ok := d.files[plain]
	if !ok {
		return ""
	}
	file, err := os.Open(filepath.Join(d.path, name))
	if err != nil {
		return ""
	}
	defer file.Close()
	text, err := unpack(bufio.NewReader(file))
	if err != nil {
		return ""
	}
	defer text.Close()
	line, _ := bufio.NewReader(io.LimitReader(text, 1<<20)).ReadString('\n')
	return strings.TrimPrefix(strings.TrimRight(line, "\r\n"), "\ufeff")
}

// hasKeys reports whether an object has all the keys.
func hasKeys(object map[string]json.RawMessage, keys ...string) bool {
	for _, k := range keys {
		if _, ok := object[k]; !ok {
			return false
		}
	}
	return true
}

// shorten cuts a text for a message.
func shorten(s string, limit int) string {
	if cut := clip(s, limit); len(cut) < len(s) {
		return cut + "…"
	}
	return s
}

// show quotes a piece of foreign text for a message.
func show(s string) string { return fmt.Sprintf("%q", shorten(s, 60)) }
