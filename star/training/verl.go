package training

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"gopkg.in/yaml.v3"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// verlColumns are those that verl reads of each export.
var verlColumns = map[string][]string{
	"verl-sft": {"messages", "tools"},
	"verl-rl":  {"data_source", "agent_name", "prompt", "reward_model", "extra_info"},
}

// Verl checks a directory of mars export --for verl-sft or verl-rl, as far as
// that goes without a cluster, and writes submit.sh and runtime-env.yaml into
// it. It returns the command that submits the work to Ray.
//
// Checked are the hashes of all files, the columns and the number of rows of the
// parquet files, and that tools.yaml has a class and a schema for each tool.
func Verl(dir string) (command string, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return "", fmt.Errorf("training: %w", err)
	}
	var m struct {
		For    string
		Rows   int
		Files  []struct{ Name, SHA256 string }
		Beside []struct{ Name, SHA256 string }
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", fmt.Errorf("training: manifest.json: %w", err)
	}
	columns, ok := verlColumns[m.For]
	if !ok {
		return "", fmt.Errorf("training: the rows of %s are for %s: export with --for verl-sft or verl-rl", dir, m.For)
	}
	for _, f := range append(slices.Clone(m.Files), m.Beside...) {
		if err := unchanged(filepath.Join(dir, f.Name), f.SHA256); err != nil {
			return "", err
		}
	}
	rows := 0
	for _, f := range m.Files {
		n, err := parquetRows(filepath.Join(dir, f.Name), columns)
		if err != nil {
			return "", err
		}
		rows += n
	}
	if rows != m.Rows {
		return "", fmt.Errorf("training: %s has %d rows, and manifest.json tells of %d", dir, rows, m.Rows)
	}
	script := "sft.sh"
	if m.For == "verl-rl" {
		script = "grpo.sh"
		if err := verlTools(filepath.Join(dir, "tools.yaml")); err != nil {
			return "", err
		}
	}
	command = `ray job submit --address "${RAY_ADDRESS:-http://127.0.0.1:8265}" --working-dir . --runtime-env runtime-env.yaml -- bash ` + script
	env := "# what each worker of the Ray job gets\npip: [\"verl==0.9.1\"]\nenv_vars: {TOKENIZERS_PARALLELISM: \"false\"}\n"
	submit := "#!/usr/bin/env bash\nset -euo pipefail\ncd \"$(dirname \"$0\")\"\n" + command + "\n"
	for name, text := range map[string]string{"runtime-env.yaml": env, "submit.sh": submit} {
		err := atomicfile.Write(filepath.Join(dir, name), func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
		if err != nil {
			return "", fmt.Errorf("training: %w", err)
		}
	}
	return command, nil
}

func unchanged(path, sum string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("training: %s: %w", path, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != sum {
		return fmt.Errorf("training: %s is not the file that manifest.json tells of: export anew", path)
	}
	return nil
}

// parquetRows counts the rows of a file that must have the columns.
func parquetRows(path string, columns []string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("training: %w", err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("training: %w", err)
	}
	p, err := parquet.OpenFile(f, stat.Size())
	if err != nil {
		return 0, fmt.Errorf("training: %s: %w", path, err)
	}
	for _, c := range columns {
		if !slices.ContainsFunc(p.Schema().Fields(), func(f parquet.Field) bool { return f.Name() == c }) {
			return 0, fmt.Errorf("training: %s has no column %s", path, c)
		}
	}
	return int(p.NumRows()), nil
}

// verlTools checks that each tool has a class and a schema with a name.
func verlTools(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	var f struct {
		Tools []struct {
			Class  string `yaml:"class_name"`
			Config struct{ Schema string }
		}
	}
	if err := yaml.Unmarshal(raw, &f); err != nil {
		return fmt.Errorf("training: %s: %w", path, err)
	}
	if len(f.Tools) == 0 {
		return errors.New("training: " + path + " has no tools")
	}
	for i, t := range f.Tools {
		var schema struct{ Function struct{ Name string } }
		if err := json.Unmarshal([]byte(t.Config.Schema), &schema); err != nil {
			return fmt.Errorf("training: %s: schema of tool %d: %w", path, i+1, err)
		}
		if strings.TrimSpace(t.Class) == "" || schema.Function.Name == "" {
			return fmt.Errorf("training: %s: tool %d has no class or no name", path, i+1)
		}
	}
	return nil
}
