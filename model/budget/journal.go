package budget

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

// Journal keeps an account in a file, so that a budget holds over restarts: a
// header, the sums so far, and since then a line before each call and one after.
//
//	{"spend":2,"currency":"USD","rows":1, ...}
//	{"sum":{"role":"ranker","model":"openai:m","calls":7, ...}, ...}
//	{"call":1,"role":"ranker","model":"openai:m","tokens":9000,"most":0.04, ...}
//	{"done":1,"role":"ranker","model":"openai:m","charge":{...}, ...}
//
// A call of which somebody told late what it came to has a line more, with what it
// was counted with until then. Each line ends with "check", the hash of it and of all lines before, so that a
// change anywhere is an error. A journal that was closed has sums alone and says
// so, with their number, in its header: then a missing line is an error too. One
// that was not closed may lack its last lines, and nobody can tell from it alone.
//
// A call without its second line (the program was killed) counts with the most
// that it can have cost. Lines are handed to the system at once and reach the
// disk at its leisure: an account survives the death of the program; of a power
// failure it may miss the last seconds. One process writes a journal at a time;
// beside a run store, the store's lock sees to that.
type Journal struct {
	path string

	mu       sync.Mutex
	file     *os.File
	open     account         // what the file tells, but for
	flying   map[int64]entry // calls whose second line is not written yet
	currency string
	check    string // of the last line
	err      error  // the first failure to write; nothing is written after it
}

// Versions of the file; the first has no checks.
const (
	journalUnchecked = 1
	journalVersion   = 2
)

// entry is a line of the file.
type entry struct {
	Spend    int     `json:"spend,omitempty"`
	Currency string  `json:"currency,omitempty"`
	Rows     int     `json:"rows,omitempty"`   // sums that follow the header
	Closed   bool    `json:"closed,omitempty"` // and nothing else does
	Sum      *Row    `json:"sum,omitempty"`
	Call     int64   `json:"call,omitempty"`
	Done     int64   `json:"done,omitempty"`
	Role     string  `json:"role,omitempty"`
	Model    string  `json:"model,omitempty"`
	Tokens   int64   `json:"tokens,omitempty"`
	Most     Amount  `json:"most,omitempty"`
	Priced   bool    `json:"priced,omitempty"`
	Charge   *Charge `json:"charge,omitempty"`
	Counted  *Charge `json:"counted,omitempty"` // which the charge takes the place of
	Check    string  `json:"check,omitempty"`
}

// line returns the entry as a line of the file that follows one with that check,
// and its own.
func (e entry) line(after string) (line []byte, check string, err error) {
	e.Check = ""
	if line, err = message.Marshal(e); err != nil {
		return nil, "", err
	}
	line, check = checked(line, after)
	return line, check, nil
}

// checked puts the hash of an entry's text, and of all before it, into the text.
func checked(text []byte, after string) (line []byte, check string) {
	line = make([]byte, 0, len(text)+48)
	h := sha256.Sum256(append(append(line, after...), text...))
	check = hex.EncodeToString(h[:16])
	line = append(append(append(line, text[:len(text)-1]...), `,"check":"`...), check...)
	return append(line, "\"}\n"...), check
}

// OpenJournal opens the file, or makes it. Prices says in which currency it
// goes on, and prices calls that were made before their price was known; an
// account in another currency is an error.
func OpenJournal(path string, prices Prices) (*Journal, error) {
	j := &Journal{path: path, open: account{}, flying: map[int64]entry{}}
	b, err := os.ReadFile(path)
	if err == nil {
		err = j.read(b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("spend journal %s: %w", path, err)
	}
	if j.currency != "" && prices.Currency != "" && j.currency != prices.Currency {
		return nil, fmt.Errorf("spend journal %s is in %s, the prices are in %s", path, j.currency, prices.Currency)
	}
	if prices.Currency != "" {
		j.currency = prices.Currency
	}
	j.open = j.open.priced(prices)
	if err := j.replace(false); err != nil {
		return nil, fmt.Errorf("spend journal: %w", err)
	}
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		return nil, fmt.Errorf("spend journal: %w", err)
	}
	return j, nil
}

// read takes in a file. Its last line may be cut, unless it was closed: then what
// it was to announce did not happen, or is counted with the most it can have cost.
func (j *Journal) read(b []byte) error {
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	calls := map[int64]entry{}
	var header entry
	n, sums, check := 0, 0, ""
	for l := range bytes.Lines(whole) {
		n++
		var e entry
		dec := json.NewDecoder(bytes.NewReader(l))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if n == 1 {
			header = e
		}
		if header.Spend != journalUnchecked {
			again, next, err := e.line(check)
			if err != nil || !bytes.Equal(again, l) {
				return fmt.Errorf("line %d is not what was written", n)
			}
			check = next
		}
		_, unknown := calls[e.Call]
		called, ok := calls[e.Done]
		switch {
		case (n == 1) != (e.Spend != 0), n == 1 && e.Spend != journalVersion && e.Spend != journalUnchecked:
			return fmt.Errorf("line %d: not a journal of version %d", n, journalVersion)
		case n == 1:
			j.currency = e.Currency
		case e.Sum != nil:
			sums++
			j.open.add(line{e.Sum.Caller, e.Sum.Model}, e.Sum.Charge)
		case e.Call > 0 && !unknown:
			calls[e.Call] = e
		case e.Done > 0 && e.Charge != nil && e.Counted != nil && !ok && j.open.amend(line{e.Role, e.Model}, *e.Counted, *e.Charge):
		case e.Done > 0 && e.Charge != nil && e.Counted == nil && (!ok || (called.Role == e.Role && called.Model == e.Model)):
			delete(calls, e.Done)
			j.open.add(line{e.Role, e.Model}, *e.Charge)
		default:
			return fmt.Errorf("line %d: %s", n, bytes.TrimSpace(l))
		}
	}
	switch {
	case n == 0:
		return errors.New("it has no header")
	case header.Spend == journalVersion && (sums != header.Rows || header.Closed && (n != sums+1 || len(whole) < len(b))):
		return fmt.Errorf("it ends after line %d, and is not whole", n)
	}
	j.land(calls)
	return nil
}

// land counts calls that have no second line with the most that they can have
// cost.
func (j *Journal) land(calls map[int64]entry) {
	for _, e := range calls {
		j.open.add(line{e.Role, e.Model}, Charge{Calls: 1, Unknown: 1, UnknownTokens: e.Tokens, Cost: e.Most, Priced: e.Priced})
	}
}

// replace puts the sums in the place of the file.
func (j *Journal) replace(closed bool) error {
	rows := j.open.statement(Config{}).By
	lines := []entry{{Spend: journalVersion, Currency: j.currency, Rows: len(rows), Closed: closed}}
	for _, row := range rows {
		lines = append(lines, entry{Sum: &row})
	}
	check := ""
	err := atomicfile.Write(j.path, func(w io.Writer) error {
		for _, e := range lines {
			b, next, err := e.line(check)
			if err != nil {
				return err
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			check = next
		}
		return nil
	})
	j.check = check
	return err
}

func (j *Journal) reserve(call int64, model, caller string, most hold, priced bool) error {
	return j.append(entry{Call: call, Role: caller, Model: model, Tokens: most.tokens, Most: most.cost, Priced: priced})
}

func (j *Journal) settle(call int64, model, caller string, c Charge) {
	_ = j.append(entry{Done: call, Role: caller, Model: model, Charge: &c}) // kept in j.err
}

func (j *Journal) amend(call int64, model, caller string, counted, c Charge) {
	_ = j.append(entry{Done: call, Role: caller, Model: model, Charge: &c, Counted: &counted})
}

func (j *Journal) append(e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	var err error
	if !message.Write(e.write, func(text []byte) {
		var line []byte
		line, j.check = checked(text, j.check)
		_, err = j.file.Write(line)
	}) {
		err = errors.New("a charge that has no JSON")
	}
	if err != nil {
		j.err = fmt.Errorf("spend journal: %w", err)
		return j.err
	}
	switch {
	case e.Call > 0:
		j.flying[e.Call] = e
	case e.Counted != nil:
		j.open.amend(line{e.Role, e.Model}, *e.Counted, *e.Charge)
	default:
		delete(j.flying, e.Done)
		j.open.add(line{e.Role, e.Model}, *e.Charge)
	}
	return nil
}

// write writes the line of a call as encoding/json would: there are two for each.
func (e entry) write(w *rawjson.Writer) {
	number := func(name string, n int64) {
		if n != 0 {
			w.Key(name)
			w.Int(n)
		}
	}
	w.Text("{")
	number("call", e.Call)
	number("done", e.Done)
	w.Field("role", e.Role)
	w.Field("model", e.Model)
	number("tokens", e.Tokens)
	if e.Most != 0 {
		w.Key("most")
		w.Text(e.Most.String())
	}
	if e.Priced {
		w.Key("priced")
		w.Bool(true)
	}
	charge := func(name string, c *Charge) {
		if c == nil {
			return
		}
		w.Key(name)
		w.Text(`{"calls":`)
		w.Int(int64(c.Calls))
		w.Text(`,"usage":{"input_tokens":`)
		w.Int(int64(c.Usage.InputTokens))
		w.Text(`,"output_tokens":`)
		w.Int(int64(c.Usage.OutputTokens))
		number("cached_tokens", int64(c.Usage.CachedTokens))
		w.Text("}")
		number("unknown_calls", int64(c.Unknown))
		number("unknown_tokens", c.UnknownTokens)
		w.Key("cost")
		w.Text(c.Cost.String())
		w.Key("priced")
		w.Bool(c.Priced)
		w.Text("}")
	}
	charge("charge", e.Charge)
	charge("counted", e.Counted)
	w.Text("}")
}

// Close puts the sums in the place of the lines, waits for the disk and closes the
// file. It returns the first failure there was.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := errors.Join(j.err, j.file.Close())
	if err == nil {
		j.land(j.flying)
		if err = j.replace(true); err != nil {
			err = fmt.Errorf("spend journal: %w", err)
		}
	}
	j.err = errors.Join(err, fmt.Errorf("spend journal %s: %w", j.path, fs.ErrClosed))
	return err
}

// ReadJournal tells what the account in a file stands at, without changing it.
// A call that is in flight counts with the most that it can cost.
func ReadJournal(path string) (Statement, error) {
	j := &Journal{path: path, open: account{}}
	b, err := os.ReadFile(path)
	if err == nil {
		err = j.read(b)
	}
	if err != nil {
		return Statement{}, fmt.Errorf("spend journal %s: %w", path, err)
	}
	return j.open.statement(Config{Prices: Prices{Currency: j.currency}}), nil
}
