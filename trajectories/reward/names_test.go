package reward_test

import (
	"strings"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories/reward"
)

// toldOfFilms is what the tools said before the lines of the tests below.
const toldOfFilms = `{"evidence":["The user rated 41 items; mean 3.66.","Most frequent categories: Sci-Fi (19 of 41, 46%), Film-Noir (4 of 41, 10%).",` +
	`"Users who rated \"Blade Runner (1982)\" also rated c07 \"Matrix, The (1999)\": 34 of 124 (27%), 3.1 times what chance would give.",` +
	`"12 of them speak for c03 \"Lord of the Rings: The Two Towers, The (2002)\", nearest \"Léon: The Professional (1994)\".",` +
	`"Of late more Animation: 6 of the last 10; \"Spider-Man 2 (2004)\", \"Schindler's List (1993)\", \"Rocky III (1982)\", \"Se7en (1995)\".",` +
	`"By creator: Ridley Scott (3 of 41, 7%)."]}`

// loose says which statements of a line were not told.
func loose(line string) []string {
	_, found := reward.Grounded([]model.Message{
		{Role: model.ToolRole, Content: toldOfFilms},
		{Role: model.Assistant, Content: "<analysis role=\"recent\">\n" + line + "\n</analysis>"},
	})
	return found
}

// TestTrueLinesRaiseNoAlarm: lines as models write them, of which the tools
// told all.
func TestTrueLinesRaiseNoAlarm(t *testing.T) {
	for line := range strings.Lines(`The user mostly rates Sci-Fi (46%) and has a soft spot for Film-Noir.
Strong Sci-Fi leaning; Animation is up lately.
Blade Runner (1982) and The Matrix (1999) are close: 34 of 124 users rated both.
Fans of Blade Runner also rated The Matrix.
Blade Runner's raters also rated c07.
c07 The Matrix is well supported, 3.1 times chance.
- c07 (The Matrix): 27% of those who rated Blade Runner.
- c07 | Matrix, The (1999) | strongest overlap
Both Blade Runner and Rocky III are from 1982.
Like Schindler's List, it is a drama.
The Two Towers is nearest to Léon: The Professional.
Nearest is Léon, then Spider-Man 2.
Lord of the Rings leads by 12 votes.
The Lord of the Rings leads the long list.
Se7en fits the Film-Noir taste.
**Blade Runner** is the anchor.
**Key findings:** Sci-Fi dominates.
Key Findings: Sci-Fi dominates.
## Overall Assessment: Sci-Fi first.
Overall, the evidence is thin.
However, I would not trust it. I'm unsure about c12.
First, Sci-Fi; second, Film-Noir; third, Animation.
Collaborative evidence (Item-CF) favours c07.
User-CF and Item-CF disagree on c03.
ItemCF and UserCF disagree. NDCG is not known.
The CF signal is WEAK for c03, and NOT decisive.
Ridley Scott is a favourite creator.
Ridley Scott's films do well, and Scott is in the top list.
Recent activity was on Monday, 6 of the last 10 in March.
Mean rating: 3.66 over 41 ratings; about 3.7.
About 46% of the 41 items are Sci-Fi. Nothing else comes near.
In short: c07, c03, c12.
Possible Animation shift. Possibly a new Sci-Fi phase.
"Blade Runner" pulls c07 up; 'Rocky III' does not.
*Spider-Man 2* was rated of late.
Of late more Animation, as Spider-Man 2 shows.
After Se7en the user went back to Sci-Fi.
Given Blade Runner and Se7en, dark Sci-Fi should rank high.
There is a link from Blade Runner to The Matrix - 34 users.
There are two candidates by Ridley Scott: c01 and c02.
Sci-Fi/Animation mix; Film-Noir is rare (10%).
Support: 34 of 124 (27%) for c07; 12 for c03.
Rank c07 first. Then c03. Then the rest by popularity.
Conflict: popularity says c01, Item-CF says c07.
Issue 1: thin evidence. Issue 2: Animation is recent only.
The Professional (1994) is close to c03.
The user's Sci-Fi share (46%) beats Film-Noir's share.
Since Spider-Man 2 is Sci-Fi, c07 fits too.
“Blade Runner” readers? No, raters: 124 of them.
Their nearest title is Léon: The Professional (1994).
`) {
		if found := loose(strings.TrimSpace(line)); len(found) > 0 {
			t.Errorf("%s: %q raise an alarm", strings.TrimSpace(line), found)
		}
	}
}

// TestFalseLinesAreSeen: each line names something that was not told.
func TestFalseLinesAreSeen(t *testing.T) {
	for line, want := range map[string]string{
		"Fans of Total Recall also rated The Matrix.":          "fans of total recall",
		"Total Recall (1990) is close to c07.":                 "total recall",
		"Alien (1979) is close to c07.":                        "alien",
		"The user rated Alien and Blade Runner.":               "alien",
		"Those who rated Matrix Reloaded agree.":               "matrix reloaded",
		"It is near the Lord of the Flies.":                    "lord of the flies",
		"Close to Rocky IV, which 34 of 124 rated.":            "rocky iv",
		"The user likes Horror most.":                          "horror",
		"It was made by Christopher Nolan.":                    "christopher nolan",
		"**Total Recall** is the anchor.":                      "total recall",
		"- c07 Solaris leads":                                  "solaris",
		"Nearest is L'Avventura's sequel.":                     "l avventura s",
		"Both took Spider-Man 3: 34 of 124.":                   "",
		"Alien leads.":                                         "",
		"those who took total recall":                          "",
		"TOTAL RECALL leads.":                                  "",
		"Of 124 users 77 rated c07, and Total Recall too (9%)": "total recall",
	} {
		found := loose(line)
		if want == "" && len(found) > 0 {
			t.Errorf("%s: %q are seen: say so in the documentation", line, found)
		}
		if want != "" && (len(found) == 0 || found[0] != want) {
			t.Errorf("%s: %q are seen, want %q first", line, found, want)
		}
	}
}
