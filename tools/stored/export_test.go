package stored

// DictionaryID is the number of the dictionary in each value's frame.
const DictionaryID = dictionaryID
