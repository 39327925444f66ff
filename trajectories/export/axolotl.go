package export

// Axolotl is the name of the export for axolotl.
const Axolotl = "axolotl"

// axolotl reads the rows of TRL, as datasets of type chat_template: it parses
// the arguments and the tools, and its template prints them as they were.
func axolotl() consumer {
	return consumer{Axolotl, []Format{JSONL, Parquet}, plainChat, []string{"axolotl.yaml"}}
}
