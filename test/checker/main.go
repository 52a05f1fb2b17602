// A checker of the audit log that is not ours: it knows C2SP's formats by golang.org/x/mod/sumdb alone. It reads a live
// log over HTTP and verifies the Ed25519 line of the checkpoint, the root from the tiles, and the inclusion and
// consistency proofs that the relay gives; with an API key also every record. Of an export it reads the folder, and
// every record and proof in it.
//
// With the id of a transfer it then waits until the log has grown, and verifies that too: the new tree, that it
// continues the first one, and that a record about the transfer is in it.
//
//	checker URL VERIFIER-KEY [API-KEY [TRANSFER]]
//	checker FOLDER VERIFIER-KEY
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var base, apiKey string

func main() {
	base = os.Args[1]
	if len(os.Args) > 3 {
		apiKey = os.Args[3]
	}
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	tree := openCheckpoint(get("/checkpoint"), verifier)
	checkTree(tree, verifier)
	fmt.Printf("%d leaves hold\n", tree.N)
	if len(os.Args) > 4 {
		grown := waitForGrowth(tree, verifier)
		checkTree(grown, verifier)
		checkConsistency(get(fmt.Sprintf("/v2/ct/consistency?from=%d", tree.N)), tree.N, tree.Hash, verifier)
		checkTransfer(os.Args[4], grown, verifier)
		fmt.Printf("%d leaves continue them\n", grown.N)
	}
}

// checkTree verifies the tiles of a tree and the proofs that the relay gives of it.
func checkTree(tree tlog.Tree, verifier note.Verifier) {
	hashes := tlog.TileHashReader(tree, reader{})

	root, err := tlog.TreeHash(tree.N, hashes) // refuses tiles that do not lead to the root
	check(err)
	if root != tree.Hash {
		fail("the tiles give another root")
	}
	if isFolder() {
		checkRecords(tree, hashes)
		checkFolder(tree, hashes, verifier)
		return
	}
	for _, index := range samples(tree.N) {
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		check(err)
		checkInclusion(get(fmt.Sprintf("/v2/ct/proof?index=%d", index)), index, leaf[0], verifier)
	}
	checkInclusion(get("/v2/ct/epoch"), 0, tlog.Hash{}, verifier)
	for _, size := range samples(tree.N) {
		if size > 0 {
			old, err := tlog.TreeHash(size, hashes)
			check(err)
			checkConsistency(get(fmt.Sprintf("/v2/ct/consistency?from=%d", size)), size, old, verifier)
		}
	}
	if apiKey != "" {
		checkRecords(tree, hashes)
	}
}

// openCheckpoint is the head of a note whose Ed25519 line verifies.
func openCheckpoint(text []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		fail("the checkpoint is of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	return tlog.Tree{N: size, Hash: parseHash(lines[2])}
}

// checkInclusion verifies a tlog-proof of a leaf; without a hash, of the record in its extra line.
func checkInclusion(text []byte, index int64, leaf tlog.Hash, verifier note.Verifier) {
	lines, checkpoint := split(text)
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("no tlog-proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		record, err := base64.StdEncoding.DecodeString(lines[0][6:])
		check(err)
		leaf = tlog.RecordHash(record)
		lines = lines[1:]
	}
	if lines[0] != fmt.Sprintf("index %d", index) {
		fail("the proof is of another leaf")
	}
	tree := openCheckpoint(checkpoint, verifier)
	check(tlog.CheckRecord(parseHashes(lines[1:]), tree.N, tree.Hash, index, leaf))
}

func checkConsistency(text []byte, size int64, old tlog.Hash, verifier note.Verifier) {
	lines, checkpoint := split(text)
	if lines[0] != fmt.Sprintf("old %d", size) {
		fail("the proof is from another size")
	}
	tree := openCheckpoint(checkpoint, verifier)
	check(tlog.CheckTree(parseHashes(lines[1:]), tree.N, tree.Hash, size, old))
}

// checkRecords hashes every record of every bundle.
func checkRecords(tree tlog.Tree, hashes tlog.HashReader) {
	for index := int64(0); index < tree.N; {
		width := tree.N - index
		if width > 256 {
			width = 256
		}
		for _, record := range records(index/256, width) {
			leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			check(err)
			if tlog.RecordHash(record) != leaf[0] {
				fail(fmt.Sprintf("record %d is another than its leaf", index))
			}
			index++
		}
	}
}

// records are the entries of a bundle.
func records(at int64, width int64) (found [][]byte) {
	tile := path(tlog.Tile{H: 8, L: 0, N: at, W: int(width)})
	bundle := get("/tile/entries/" + strings.TrimPrefix(tile, "tile/0/"))
	for ; width > 0; width-- {
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		found = append(found, bundle[2:end])
		bundle = bundle[end:]
	}
	return found
}

func isFolder() bool {
	return !strings.Contains(base, "://")
}

func readFile(path string) []byte {
	data, err := os.ReadFile(filepath.Join(base, path))
	check(err)
	return data
}

// checkFolder verifies the epoch statement, every checkpoint and every proof of an export.
func checkFolder(tree tlog.Tree, hashes tlog.HashReader, verifier note.Verifier) {
	checkInclusion(readFile("epoch"), 0, tlog.Hash{}, verifier)
	for _, name := range names("checkpoints/*") {
		head := openCheckpoint(readFile(name), verifier)
		root, err := tlog.TreeHash(head.N, hashes)
		check(err)
		if root != head.Hash || strconv.FormatInt(head.N, 10) != filepath.Base(name) {
			fail(name + " is not of this tree")
		}
	}
	for _, name := range names("proofs/*.tlog-proof") {
		index := number(strings.TrimSuffix(filepath.Base(name), ".tlog-proof"))
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		check(err)
		checkInclusion(readFile(name), index, leaf[0], verifier)
	}
	for _, name := range names("consistency/*.add-checkpoint") {
		from, _, _ := strings.Cut(filepath.Base(name), "-")
		old, err := tlog.TreeHash(number(from), hashes)
		check(err)
		checkConsistency(readFile(name), number(from), old, verifier)
	}
}

// names are the files of a pattern, of which there has to be one.
func names(pattern string) []string {
	found, err := filepath.Glob(filepath.Join(base, pattern))
	check(err)
	if len(found) == 0 {
		fail("no " + pattern)
	}
	for i, path := range found {
		found[i], err = filepath.Rel(base, path)
		check(err)
	}
	return found
}

func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	check(err)
	return value
}

// reader gives tiles of height 8 over HTTP, or from files.
type reader struct{}

func (reader) Height() int                     { return 8 }
func (reader) SaveTiles([]tlog.Tile, [][]byte) {}
func (reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data[i] = get("/" + path(tile))
	}
	return data, nil
}

// path leaves the height out, which tlog-tiles fixes.
func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}

// samples are leaves around the edges of tiles and the last one, all of them in a small tree.
func samples(size int64) (found []int64) {
	for index := int64(0); index < size; index++ {
		if index < 4 || index >= size-3 || index%256 < 2 || index%256 == 255 {
			found = append(found, index)
		}
	}
	return found
}

func split(text []byte) ([]string, []byte) {
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	if !found {
		fail("no empty line in a proof")
	}
	return strings.Split(string(head), "\n"), checkpoint
}

func parseHashes(lines []string) []tlog.Hash {
	hashes := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		hashes[i] = parseHash(line)
	}
	return hashes
}

func parseHash(line string) tlog.Hash {
	hash, err := tlog.ParseHash(line)
	check(err)
	return hash
}

func get(path string) []byte {
	if isFolder() {
		return readFile(path)
	}
	request, err := http.NewRequest("GET", base+path, nil)
	check(err)
	if apiKey != "" {
		request.Header.Set("Authorization", "Bearer "+apiKey)
	}
	answer, err := http.DefaultClient.Do(request)
	check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	check(err)
	if answer.StatusCode != 200 {
		fail(fmt.Sprintf("%s: status %d", path, answer.StatusCode))
	}
	return body
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}
