package world

import "strings"

// genre is what books of one kind are made of: the words of their titles and
// what their descriptions tell of. Near are the genres whose readers overlap.
type genre struct {
	name       string
	adjectives []string
	nouns      []string
	themes     []string // each completes "a story of ..." or "... , of ..."
	near       []int    // positions in the list of genres
}

// genres returns the genres, in a fixed order that near refers to.
func genres() []genre {
	w := strings.Fields
	t := func(s string) []string { return strings.Split(s, "; ") }
	return []genre{
		{"Fantasy", w("Hollow Silver Last Sunken Thorned Crimson Ashen Forgotten Wandering Gilded Sleeping Broken Winter Ember"),
			w("Crown Throne Dragon Forest Tower Blade Oath Rune Kingdom Mage Raven Gate Wyrm Citadel"),
			t("exile and inheritance; a bargain with an old power; the last school of magic; two brothers at war; a map that redraws itself; a throne nobody wants"), []int{1, 6, 8}},
		{"Science Fiction", w("Distant Silent Orbital Second Fractured Cold Infinite Borrowed Parallel Machine Drifting Deep Static Lunar"),
			w("Horizon Signal Engine Colony Orbit Star Archive Vessel Protocol Meridian Satellite Paradox Beacon Void"),
			t("first contact; a ship that has forgotten its purpose; life under a foreign sun; an archive that predicts; machines with manners; the price of going home"), []int{0, 3, 10}},
		{"Mystery", w("Quiet Missing Narrow Locked Third Vanished Patient Grey Unwritten Late Village Second Careful Hidden"),
			w("Witness Letter Inspector Alibi Harbour Parish Guest Ledger Clue Cottage Motive Stranger Inquest Garden"),
			t("a death in a small town; an inspector near retirement; letters that arrive too late; a locked room; a family that says nothing; a trial reopened"), []int{3, 5, 7}},
		{"Thriller", w("Final Burning Black Zero Double Dead Red Exposed Northern Hunted Critical Stolen Blind Midnight"),
			w("Target Border Code Asset Deadline Protocol Courier Exit Witness Operation Pursuit Hour Trigger Cipher"),
			t("a courier on the run; forty hours to a verdict; a leak at the top; an agent nobody will vouch for; a city without power; a debt collected"), []int{2, 1, 6}},
		{"Romance", w("Unexpected Summer Second Secret Sweet Reluctant Midnight Borrowed Perfect Stolen Little Honest Lucky Tender"),
			w("Kiss Promise Wedding Chance Heart Vow Letter Bakery Summer Bride Season Dance Orchard Proposal"),
			t("a wedding called off; neighbours with one garden; a summer job by the sea; a letter to the wrong address; second chances; a very public quarrel"), []int{5, 8, 7}},
		{"Historical Fiction", w("Golden Winter King's Weaver's Iron Salt Copper Distant Faithful Linen Northern Imperial Painted Lost"),
			w("Daughter Harbour Fleet Cathedral Siege Market Court Loom Regiment Island Manor Apprentice Voyage Province"),
			t("a weaver in a besieged city; three generations on one farm; a voyage for spice; a court painter's secret; the winter of the great frost; a printer's daughter"), []int{2, 4, 7}},
		{"Horror", w("Rotting Pale Hungry Drowned Crooked Whispering Bleeding Starless Buried Hollow Nameless Salted Cold Waking"),
			w("House Hour Cellar Choir Marsh Grave Lantern Teeth Orphanage Shadow Mirror Harvest Well Attic"),
			t("a house that remembers; a village without children; what the tide leaves; a choir heard at night; a cellar with one door too many; a promise to the dead"), []int{0, 3, 2}},
		{"Literary Fiction", w("Small Ordinary Slow Unfinished Bright Careless Patient Lesser Long Gentle Late Inland Plain Tidal"),
			w("Kindness Weather Inheritance Afternoon River Silence Neighbours Mercy Rooms Distance Orchard Correspondence Light Arrangement"),
			t("a marriage seen from outside; a teacher and her last class; brothers who sell a house; a year without news; the manners of grief; a town and its river"), []int{5, 4, 9}},
		{"Young Adult", w("Wild Seventh Paper Brave Electric Reckless Bright Runaway Invisible Glass First Loud Starlit Stubborn"),
			w("Girls Summer Rebels Club Heist Secret Crew Promise Year Academy Mixtape Storm League Map"),
			t("the last year of school; a band without a drummer; a heist among friends; a new girl with an old secret; the summer everything moved; a league of misfits"), []int{0, 4, 1}},
		{"Biography", w("Restless Unlikely Private Brilliant Stubborn Early Collected Divided Remarkable Hidden Public Self-Made Quiet Long"),
			w("Life Years Portrait Letters Genius Road Diaries Engineer Composer Senator Explorer Voice Hand Mind"),
			t("an engineer who built bridges; a composer between two wars; a life in letters; the making of a champion; a forgotten explorer; a doctor and her city"), []int{7, 10, 11}},
		{"Popular Science", w("Hidden Curious Elegant Invisible Tangled Deep Accidental Restless Ancient Small Living Strange Possible Common"),
			w("Cell Universe Ocean Brain Number Genome Climate Atom Insect Climb Instinct Element Signal Forest"),
			t("how bodies keep time; the mathematics of crowds; what the deep sea hides; the long history of seeds; why we sleep; chance and its uses"), []int{1, 9, 11}},
		{"Travel", w("Slow Southern Far High Dusty Wandering Coastal Empty Winding Blue Overland Monsoon Distant Unmarked"),
			w("Road Coast Train Passage Desert Island Pass Border Harbour Pilgrim River Steppe Caravan Map"),
			t("a walk along a border; forty trains and one visa; an island in the off-season; a river from source to sea; desert roads; the last caravan"), []int{9, 10, 5}},
	}
}

// names returns the words that people and places are named with.
func names() (first, last, places []string) {
	return strings.Fields(`Ada Alma Anders Anika Arlo Asha Basil Beatriz Bram Camille Carys Cassian Celeste Clara Cora Dara Delia
			Dmitri Edda Elias Elin Emeka Esme Ewan Farah Felix Fiona Freya Gideon Greta Hana Harriet Hugo Ida Imogen Ines Iris Isak
			Jonas Juno Kai Katya Keiko Lars Leila Leon Livia Lorcan Lucia Magnus Maia Marek Marta Mina Mira Nadia Nils Noor Odile
			Olga Omar Orla Otto Paloma Petra Priya Quentin Rafael Rhea Robin Rosa Rowan Runa Sabine Samir Selma Silas Simone
			Soren Tamsin Tariq Tessa Theo Tilda Tomas Una Valentin Vera Viktor Wanda Willa Xenia Yara Yusuf Zelda`),
		strings.Fields(`Abara Achterberg Aldana Almeida Ashdown Bakker Barlow Bellamy Bergqvist Blackwood Brandt Cardoso Carrow
			Castellane Chandra Corrigan Dahl Danvers Delacroix Draper Easton Eklund Farrow Fenwick Ferrante Fontaine Gallo Garrick
			Grieve Halloran Hartmann Hasegawa Hawthorn Holm Ibarra Ilves Janssen Kaminski Keller Kendrick Kovac Lachance Langley
			Larkin Lindqvist Lockhart Madaki Marchetti Marlowe Mbeki Merrick Montague Morrow Nakagawa Navarro Novak Okafor
			Osterman Pellegrino Penrose Quill Ramaswamy Ravenscroft Reyes Rosewarne Sandoval Sato Sinclair Solberg Sommer
			Standish Takeda Tennant Thorne Tremaine Ulrich Vance Varga Verhoeven Voss Wakefield Weller Whitlock Winslow Yoon Zeller`),
		strings.Fields(`Ardenmoor Bellhaven Carrick Dunmere Eastmarch Fallow Greywater Hallowmere Ivington Kestrel Larkhill Marrow
			Northwick Oakhaven Penhallow Quarry Ravensby Saltmarsh Thornbury Umberley Valemont Westering Wyndham Yarrow Lisbon
			Trieste Bergen Cadiz Tangier Odessa Valparaiso Kyoto`)
}
