package mars_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines is the length of a file at most, tests apart.
const maxLines = 400

// folders calls f for each folder with Go code of the product.
func folders(t *testing.T, f func(dir string)) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch name := d.Name(); {
		case path != "." && strings.HasPrefix(name, "."), name == "testdata", name == "bin", name == "demo", path == "bench":
			return filepath.SkipDir
		}
		if found, _ := filepath.Glob(filepath.Join(path, "*.go")); len(found) > 0 && path != "." {
			f(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEverythingIsDocumented: every package has its essay, every exported name
// says what its user may rely on.
func TestEverythingIsDocumented(t *testing.T) {
	folders(t, func(dir string) {
		files := token.NewFileSet()
		var parsed []*ast.File
		paths, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(files, path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
		}
		if len(parsed) == 0 {
			return
		}
		p, err := doc.NewFromFiles(files, parsed, module+"/"+filepath.ToSlash(dir))
		if err != nil {
			t.Fatal(err)
		}
		undocumented := func(name, text string) {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s has no documentation", dir, name)
			}
		}
		if len(strings.Fields(p.Doc)) < 12 {
			t.Errorf("%s: the package comment is no essay: %q", dir, p.Doc)
		}
		if p.Name == "main" {
			return
		}
		for _, f := range p.Funcs {
			undocumented(f.Name, f.Doc)
		}
		for _, v := range append(p.Consts, p.Vars...) {
			undocumented(strings.Join(v.Names, ", "), v.Doc+valueDocs(v.Decl))
		}
		for _, typ := range p.Types {
			undocumented(typ.Name, typ.Doc)
			for _, f := range append(typ.Funcs, typ.Methods...) {
				if !wellKnown[f.Name] {
					undocumented(typ.Name+"."+f.Name, f.Doc)
				}
			}
			for _, v := range append(typ.Consts, typ.Vars...) {
				undocumented(strings.Join(v.Names, ", "), v.Doc+valueDocs(v.Decl))
			}
		}
	})
}

// wellKnown are methods whose name says it all, since an interface of the
// standard library does.
var wellKnown = map[string]bool{"Error": true, "Unwrap": true, "String": true}

// valueDocs returns the comments at the single values of a group.
func valueDocs(d *ast.GenDecl) string {
	var b strings.Builder
	for _, s := range d.Specs {
		if v, ok := s.(*ast.ValueSpec); ok {
			b.WriteString(v.Doc.Text() + v.Comment.Text())
		}
	}
	return b.String()
}

// TestFilesAreShort: a file holds one idea.
func TestFilesAreShort(t *testing.T) {
	folders(t, func(dir string) {
		paths, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), "\n"); n > maxLines {
				t.Errorf("%s has %d lines: is it one idea? At most %d", path, n, maxLines)
			}
		}
	})
}

// TestTheClockIsGiven: outside of cmd nothing asks for the time of day, except
// where a configuration leaves the clock out.
func TestTheClockIsGiven(t *testing.T) {
	folders(t, func(dir string) {
		if slash := filepath.ToSlash(dir); within(slash, "cmd") || within(slash, "graph/powerlaw") { // which measures
			return
		}
		paths, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(text), "\n") {
				if code, _, _ := strings.Cut(line, "//"); strings.Contains(code, "time.Now()") {
					t.Errorf("%s:%d asks for the time: let a clock be given", path, i+1)
				}
			}
		}
	})
}

// TestNothingBuiltIsKept: what is in the repository was written, not built.
func TestNothingBuiltIsKept(t *testing.T) {
	const most = 1 << 20
	list, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("not in a checkout of git:", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if info, err := os.Lstat(name); err == nil && info.Size() > most {
			t.Errorf("%s has %d bytes, and a clone brings it to everybody", name, info.Size())
		}
	}
}
