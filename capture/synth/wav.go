package synth

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"intercom/capture"
)

// maxSound bounds what is read of a file: ten minutes and a bit of mono.
const maxSound = 64 << 20

// ReadSound reads a WAV file (PCM of 16 bits, mono or stereo, at any rate) into samples at
// capture.SampleRate. Errors name the file and the byte.
func ReadSound(path string) ([]int16, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open sound: %w", err) // os names the file
	}
	defer file.Close()
	pcm, err := parseWAV(bufio.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("sound %s: %w", path, err)
	}
	return pcm, nil
}

// wavFormat is what of the "fmt " chunk matters.
type wavFormat struct {
	channels int
	rate     int // Hz
}

// Format tags of a "fmt " chunk (RFC 2361, and Microsoft's WAVEFORMATEXTENSIBLE).
const (
	wavPCM        = 1
	wavExtensible = 0xfffe
)

// parseWAV reads RIFF with PCM of 16 bits, mono or stereo, at any rate; it mixes and
// resamples. Errors name the byte.
func parseWAV(r io.Reader) ([]int16, error) {
	p := &wavReader{r: r}
	var head [12]byte
	if err := p.read(head[:]); err != nil {
		return nil, fmt.Errorf("%w: not a WAV sound", err)
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, errors.New("byte 0: not a WAV sound: it does not begin with RIFF and WAVE")
	}
	var format *wavFormat
	for {
		at := p.at
		var chunk [8]byte
		if err := p.read(chunk[:]); err != nil {
			return nil, fmt.Errorf("%w: no sound before it", err)
		}
		id, size := string(chunk[:4]), int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch {
		case id == "fmt ":
			f, err := p.format(size)
			if err != nil {
				return nil, fmt.Errorf("byte %d: %w", at, err)
			}
			format = f
		case id == "data" && format == nil:
			return nil, fmt.Errorf("byte %d: sound before its format", at)
		case id == "data":
			return p.sound(format, size)
		default:
			if err := p.skip(size + size&1); err != nil { // chunks are padded to even
				return nil, err
			}
		}
	}
}

type wavReader struct {
	r  io.Reader
	at int64
}

func (p *wavReader) read(b []byte) error {
	n, err := io.ReadFull(p.r, b)
	p.at += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("byte %d: the file ends", p.at)
	}
	if err != nil {
		return fmt.Errorf("byte %d: %w", p.at, err)
	}
	return nil
}

func (p *wavReader) skip(size int64) error {
	n, err := io.CopyN(io.Discard, p.r, size)
	p.at += n
	if err != nil {
		return fmt.Errorf("byte %d: the file ends", p.at)
	}
	return nil
}

func (p *wavReader) format(size int64) (*wavFormat, error) {
	if size < 16 || size > 1024 {
		return nil, fmt.Errorf("format of %d bytes", size)
	}
	b := make([]byte, size+size&1)
	if err := p.read(b); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	tag, bits := le.Uint16(b), le.Uint16(b[14:])
	if tag == wavExtensible && size >= 26 {
		tag = le.Uint16(b[24:]) // the sub-format begins with it
	}
	f := &wavFormat{channels: int(le.Uint16(b[2:])), rate: int(le.Uint32(b[4:]))}
	switch {
	case tag != wavPCM || bits != 16:
		return nil, fmt.Errorf("coding %d with %d bits: only PCM with 16 bits can be played (ffmpeg -c:a pcm_s16le)", tag, bits)
	case f.channels != 1 && f.channels != 2:
		return nil, fmt.Errorf("%d channels: only mono and stereo can be played", f.channels)
	case f.rate < 4000 || f.rate > 192_000:
		return nil, fmt.Errorf("sampling rate %d is not from 4000 to 192000 Hz", f.rate)
	}
	return f, nil
}

// sound reads the samples. Writers that could not seek back leave 0 or the largest number
// as the size; the sound goes to the end of the file then.
func (p *wavReader) sound(f *wavFormat, size int64) ([]int16, error) {
	at := p.at
	open := size == 0 || size >= 0xffff_ff00
	if !open && size > maxSound {
		return nil, fmt.Errorf("byte %d: sound of %d bytes is longer than %d", at, size, maxSound)
	}
	limit := size
	if open {
		limit = maxSound + 1
	}
	raw, err := io.ReadAll(io.LimitReader(p.r, limit))
	p.at += int64(len(raw))
	switch {
	case err != nil:
		return nil, fmt.Errorf("byte %d: %w", p.at, err)
	case len(raw) > maxSound:
		return nil, fmt.Errorf("byte %d: sound is longer than %d bytes", at, maxSound)
	case !open && int64(len(raw)) < size:
		return nil, fmt.Errorf("byte %d: the file ends, sound of %d bytes is announced and %d are there", p.at, size, len(raw))
	}
	mono := make([]int16, len(raw)/(2*f.channels))
	for i := range mono {
		sum := 0
		for c := range f.channels {
			sum += int(int16(binary.LittleEndian.Uint16(raw[2*(i*f.channels+c):])))
		}
		mono[i] = int16(sum / f.channels)
	}
	if len(mono) == 0 {
		return nil, fmt.Errorf("byte %d: the sound is empty", at)
	}
	if int64(len(mono))*capture.SampleRate/int64(f.rate) > maxSound {
		return nil, fmt.Errorf("byte %d: sound is longer than %d samples", at, maxSound)
	}
	return resample(mono, f.rate), nil
}

// resample interpolates linearly between samples at rate Hz, and from the last to the
// first: the sound is played in a loop. That is good enough for speech to be understood.
func resample(in []int16, rate int) []int16 {
	if rate == capture.SampleRate {
		return in
	}
	out := make([]int16, max(1, int64(len(in))*capture.SampleRate/int64(rate)))
	for i := range out {
		pos := int64(i) * int64(rate)
		k, rest := int(pos/capture.SampleRate), pos%capture.SampleRate
		a, b := int64(in[k%len(in)]), int64(in[(k+1)%len(in)])
		out[i] = int16(a + (b-a)*rest/capture.SampleRate)
	}
	return out
}
