package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// fileBytesMax bounds the files of keys and of settings: what is larger was given by mistake.
const fileBytesMax = 1 << 20

// readFile reads a regular file: a pipe would block until something writes to it, and a device may
// never end. Errors name it.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // or opening a pipe would block
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: expected a file, found a directory", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: expected a regular file, found a pipe, a device or a socket",
			path)
	}
	text, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err == nil && len(text) > fileBytesMax {
		err = fmt.Errorf("%s: expected at most %d bytes, found more", path, fileBytesMax)
	}
	return text, err
}
