// Judges proofs of a log with golang.org/x/mod/sumdb, the code behind Go's checksum database: an
// implementation of the same formats that shares nothing with ours.
//
// Reads cases as JSON from standard input and writes a JSON array with one verdict for each: an
// empty string when it is accepted, otherwise why not.
//
// Builds with Debian's packages golang-go and golang-golang-x-mod-dev:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build verify.go
package main

import (
	"encoding/json"
	"errors"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Case is one thing to judge; the fields that are set say what.
type Case struct {
	// Key is the public key of the log.
	Key string
	// Proof is a c2sp.org/tlog-proof@v1 of Entry.
	Proof string
	Entry string
	// From and To are signed checkpoints, Consistency the proof between them, in base64.
	From        string
	To          string
	Consistency []string
	// Tiles is a directory with a checkpoint and its tiles, which has Entry as leaf Index.
	Tiles string
	Index int64
}

func main() {
	var cases []Case
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		log.Fatal(err)
	}
	verdicts := []string{}
	for _, c := range cases {
		verdict := ""
		if err := judge(c); err != nil {
			verdict = err.Error()
		}
		verdicts = append(verdicts, verdict)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}

func judge(c Case) error {
	switch {
	case c.Proof != "":
		return checkInclusion(c)
	case c.From != "":
		return checkConsistency(c)
	case c.Tiles != "":
		return checkTiles(c)
	}
	return errors.New("nothing to judge")
}

// openCheckpoint verifies the signature of a checkpoint and reads its tree.
func openCheckpoint(text, vkey string) (tree tlog.Tree, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, errors.New("not a checkpoint of this log")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func checkInclusion(c Case) error {
	proof, checkpoint, found := strings.Cut(c.Proof, "\n\n")
	lines := strings.Split(proof, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof")
	}
	tree, err := openCheckpoint(checkpoint, c.Key)
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	hashes, err := parseHashes(lines[2:])
	if err != nil {
		return err
	}
	return tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash([]byte(c.Entry)))
}

func checkConsistency(c Case) error {
	from, err := openCheckpoint(c.From, c.Key)
	if err != nil {
		return err
	}
	to, err := openCheckpoint(c.To, c.Key)
	if err != nil {
		return err
	}
	hashes, err := parseHashes(c.Consistency)
	if err != nil {
		return err
	}
	return tlog.CheckTree(hashes, to.N, to.Hash, from.N, from.Hash)
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	hashes := []tlog.Hash{}
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// checkTiles makes the proof of a leaf from static tiles, and judges it.
func checkTiles(c Case) error {
	checkpoint, err := os.ReadFile(filepath.Join(c.Tiles, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(string(checkpoint), c.Key)
	if err != nil {
		return err
	}
	// Not the reader's own authentication: that of version 0.7.0 leaves tiles out.
	proof, err := tlog.ProveRecord(tree.N, c.Index, tlog.TileHashReader(tree, tileFiles(c.Tiles)))
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, c.Index, tlog.RecordHash([]byte(c.Entry)))
}

// tileFiles reads tiles of height 8 from a directory.
type tileFiles string

func (directory tileFiles) Height() int { return 8 }

func (directory tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	read := [][]byte{}
	for _, tile := range tiles {
		// Go's paths begin with the height, those of c2sp.org/tlog-tiles do not.
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		bytes, err := os.ReadFile(filepath.Join(string(directory), path))
		if err != nil {
			return nil, err
		}
		read = append(read, bytes)
	}
	return read, nil
}

func (directory tileFiles) SaveTiles(tiles []tlog.Tile, data [][]byte) {}
