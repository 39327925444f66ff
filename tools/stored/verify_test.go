package stored_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mars-rec/mars/tools/stored"
)

// read is all that anybody reads of a file of evidence.
func read(path string) (string, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		return "", err
	}
	defer db.Close()
	h := sha256.New()
	var header, dictionary []byte
	if err := db.QueryRow(`SELECT header, dictionary FROM about`).Scan(&header, &dictionary); err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%q %q", header, dictionary)
	values, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(stored.DictionaryID, dictionary))
	if err != nil {
		return "", err
	}
	defer values.Close()
	rows, err := db.Query(`SELECT key, body FROM keys INDEXED BY by_key JOIN bodies ON bodies.id = keys.body_id ORDER BY key, body_id`)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var key, body []byte
		if err := rows.Scan(&key, &body); err != nil {
			return "", err
		}
		value, err := values.DecodeAll(body, nil)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %q", key, value)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), rows.Err()
}

// TestVerifyFindsDamage flips bits of a file of evidence and cuts it: what Verify
// does not find changes nothing that is read.
func TestVerifyFindsDamage(t *testing.T) {
	whole := library(t).path
	path := filepath.Join(t.TempDir(), filepath.Base(whole))
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	want, err := read(whole)
	if err != nil {
		t.Fatal(err)
	}
	if ok, wrong, err := stored.Verify(t.Context(), whole); !ok || len(wrong) > 0 || err != nil {
		t.Fatalf("%v, %q, %v", ok, wrong, err)
	}
	draw, found := rand.New(rand.NewPCG(1, 7)), 0
	for range 300 {
		broken := bytes.Clone(b)
		at := draw.IntN(len(b))
		if draw.IntN(8) == 0 {
			broken = broken[:at]
		} else {
			broken[at] ^= 1 << draw.IntN(8)
		}
		if err := os.WriteFile(path, broken, 0o644); err != nil {
			t.Fatal(err)
		}
		ok, wrong, err := stored.Verify(t.Context(), path)
		if !ok || err != nil {
			t.Fatalf("byte %d: %v, %v", at, ok, err)
		}
		if len(wrong) > 0 {
			found++
		} else if got, err := read(path); err != nil || got != want {
			t.Errorf("byte %d has changed, and nobody finds it: %v", at, err)
		}
	}
	if found < 150 {
		t.Errorf("%d of 300 are found", found)
	}
	other := filepath.Join(t.TempDir(), "log.csv")
	if err := os.WriteFile(other, []byte("user,item\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if ok, _, err := stored.Verify(t.Context(), other); ok || err != nil {
		t.Errorf("a table is taken for evidence: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := stored.Verify(ended, whole); err == nil {
		t.Error("it is verified after the end of its context")
	}
}
