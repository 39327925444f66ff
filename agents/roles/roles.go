// Package roles has the members of the MARS team: planner, analysts, reflector
// and ranker. Each is an [agents.Agent] around one system prompt, a Markdown
// file, and one shape of answer.
//
//	role       hears                     answers            its turn
//	planner    the task                  phase.Plan         prompt, reply
//	analyst    its subtask               phase.Analysis     prompt, (reply, results)*, reply
//	reflector  plan, analyses, evidence  phase.Reflection   prompt, reply
//	ranker     analyses, evidence        phase.Recommend    prompt, reply
//
// A reply that cannot be read gets one repair: the model is told what was
// wrong and answers again. What still cannot be read fails the run; a ranking
// that is not a permutation of the candidates never passes.
//
// The evidence of an analysis is attached here, from the results of the tools
// that were called: a model can neither write it nor get it wrong.
//
// Texts of the data reach a prompt only through a [tasks.View], which makes
// them inert; what other models wrote is made inert here.
package roles

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
)

//go:embed prompts
var embedded embed.FS

// Prompts returns the prompts that the package ships, to be read or copied.
func Prompts() fs.FS {
	sub, err := fs.Sub(embedded, "prompts")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return sub
}

// Config says how the roles work. The zero value works.
type Config struct {
	// Prompts overrides the shipped prompts, file by file; nil overrides none.
	Prompts fs.FS
	Window  Window
}

// Book makes the agents of a team.
type Book struct {
	cfg     Config
	prompts []fs.FS
	known   sync.Map // what was looked for, by the file's name: a prompt must not change under a run
	shapes  shapes
}

// New makes a book of roles.
func New(cfg Config) *Book {
	b := &Book{cfg: cfg, prompts: []fs.FS{Prompts()}}
	if cfg.Prompts != nil {
		b.prompts = append([]fs.FS{cfg.Prompts}, b.prompts...)
	}
	return b
}

// Cast makes the agent of a seat, by the seat's kind, for one view of the data.
func (b *Book) Cast(seat agents.Seat, view tasks.View) (agents.Agent, error) {
	cast, ok := kinds[seat.Kind]
	if !ok {
		return nil, noKind(seat.Kind)
	}
	system, err := b.prompt(seat)
	if err != nil {
		return nil, err
	}
	return cast(role{seat: seat, view: view, system: system, book: b}), nil
}

// kinds are the roles that a book can cast.
var kinds = map[string]func(role) agents.Agent{
	"planner":   func(r role) agents.Agent { return planner{r} },
	"analyst":   func(r role) agents.Agent { return analyst{r} },
	"reflector": func(r role) agents.Agent { return reflector{r} },
	"ranker":    func(r role) agents.Agent { return ranker{r} },
}

func noKind(kind string) error {
	return fmt.Errorf("no kind %q: there are %s", kind, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
}

// Check reports what would keep the book from casting the seats, and what is
// wrong with the prompts that override the shipped ones: a file that is empty,
// or that no seat reads. Prompts are plain text, not templates.
func (b *Book) Check(seats []agents.Seat) error {
	read := []string{"summary.md"}
	for _, seat := range seats {
		if kinds[seat.Kind] == nil {
			return fmt.Errorf("%s: %w", seat.Name, noKind(seat.Kind))
		}
		if _, err := b.prompt(seat); err != nil {
			return fmt.Errorf("%s: %w", seat.Name, err)
		}
		read = append(read, promptNames(seat)...)
	}
	if b.cfg.Prompts == nil {
		return nil
	}
	return fs.WalkDir(b.cfg.Prompts, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".md" {
			return err
		}
		if !slices.Contains(read, name) && !shipped(name) {
			slices.Sort(read)
			return fmt.Errorf("prompt %s is read by nobody: the team reads %s", name, strings.Join(slices.Compact(read), ", "))
		}
		text, err := b.read(name)
		if err == nil && strings.TrimSpace(text) == "" {
			err = fmt.Errorf("prompt %s is empty", name)
		}
		return err
	})
}

func shipped(name string) bool {
	_, err := fs.Stat(Prompts(), name)
	return err == nil
}

// promptNames are the files in which a seat's prompt is looked for.
func promptNames(seat agents.Seat) []string {
	if seat.Prompt != "" {
		return []string{seat.Prompt}
	}
	return []string{string(seat.Name) + ".md", seat.Kind + ".md"}
}

// prompt returns the system prompt of a seat: the file it names, the file of
// its name, or that of its kind.
func (b *Book) prompt(seat agents.Seat) (string, error) {
	names := promptNames(seat)
	for _, name := range names {
		text, err := b.read(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return "", fmt.Errorf("no prompt: looked for %q", names)
}

func (b *Book) read(name string) (string, error) {
	if known, ok := b.known.Load(name); ok {
		return known.(found).text, known.(found).err
	}
	text, err := b.find(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	known, _ := b.known.LoadOrStore(name, found{text, err})
	return known.(found).text, known.(found).err
}

// found is a prompt, or that there is none of the name.
type found struct {
	text string
	err  error
}

func (b *Book) find(name string) (string, error) {
	for _, dir := range b.prompts {
		text, err := fs.ReadFile(dir, name)
		if err == nil {
			return string(text), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("prompt %s: %w", name, err)
		}
	}
	return "", fmt.Errorf("prompt %s: %w", name, fs.ErrNotExist)
}

// role is what all roles have in common.
type role struct {
	seat   agents.Seat
	view   tasks.View
	system string
	book   *Book
}

func (r role) brief(t *agents.Turn) (phase.Brief, error) {
	return message.Decode[phase.Brief](t.In)
}

// open starts the conversation of a turn: the system prompt and the question.
func (r role) open(ctx context.Context, t *agents.Turn, question string) ([]model.Message, error) {
	system, err := t.Prompt(ctx, model.System, r.system, t.In.ID)
	if err != nil {
		return nil, err
	}
	refs := slices.Concat([]message.ID{t.In.ID}, t.In.Refs, t.Read())
	slices.SortFunc(refs, message.ID.Compare)
	user, err := t.Prompt(ctx, model.User, question, slices.Compact(refs)...)
	return []model.Message{system, user}, err
}

// settle asks the model for an answer of the given format and reads it, with
// one repair.
func settle[B any](ctx context.Context, t *agents.Turn, conversation []model.Message, format *model.Format, read func(string) (B, error)) (B, error) {
	out, err := t.Generate(ctx, model.Request{Messages: conversation, Format: format})
	if err != nil {
		var none B
		return none, err
	}
	return repair(ctx, t, conversation, out, format, read)
}

// repair reads a reply; if it cannot be read, the model is told why and answers
// once more.
func repair[B any](ctx context.Context, t *agents.Turn, conversation []model.Message, out model.Output, format *model.Format, read func(string) (B, error)) (B, error) {
	b, wrong := readReply(out, read)
	if wrong == nil {
		return b, nil
	}
	ask, err := t.Prompt(ctx, model.User, "Your answer cannot be used: "+phase.CleanReply(wrong.Error())+".\nAnswer again, with the corrected JSON object only.", out.Message.Ref)
	if err != nil {
		return b, err
	}
	said := out.Message
	said.ToolCalls = nil // calls that are not run must not stand unanswered
	out, err = t.Generate(ctx, model.Request{Messages: append(conversation[:len(conversation):len(conversation)], said, ask), Format: format})
	if err != nil {
		return b, err
	}
	if b, wrong = readReply(out, read); wrong != nil {
		return b, fmt.Errorf("%s: reply %s cannot be used after a repair: %w", t.Self, out.Message.Ref, wrong)
	}
	return b, nil
}

func readReply[B any](out model.Output, read func(string) (B, error)) (B, error) {
	if out.Finish == "length" {
		var none B
		return none, errors.New("the reply was cut off at the limit of tokens; be brief")
	}
	return read(out.Message.Content)
}
