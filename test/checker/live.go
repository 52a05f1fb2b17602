// What the checker does with a log that grows under its eyes.
package main

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// waitForGrowth gives the first checkpoint of a larger tree; a head comes every 30 s.
func waitForGrowth(from tlog.Tree, verifier note.Verifier) tlog.Tree {
	for look := 0; look < 90; look++ {
		tree := openCheckpoint(get("/checkpoint"), verifier)
		if tree.N > from.N {
			return tree
		}
		time.Sleep(time.Second)
	}
	fail("the log does not grow")
	return from
}

// checkTransfer finds the record about a transfer by the relay's proof, and the leaf by the tiles.
func checkTransfer(id string, tree tlog.Tree, verifier note.Verifier) {
	text := get("/v2/ct/proof?xfer=" + id)
	lines, _ := split(text)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	check(err)
	leaf, err := tlog.TileHashReader(tree, reader{}).ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	check(err)
	checkInclusion(text, index, leaf[0], verifier)
	width := tree.N - index/256*256
	if width > 256 {
		width = 256
	}
	for _, record := range records(index/256, width) {
		if tlog.RecordHash(record) == leaf[0] && bytes.Contains(record, []byte(id)) {
			return
		}
	}
	fail("the record of the proof is not about the transfer")
}
