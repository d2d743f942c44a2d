package synth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"intercom/capture"
)

// FileCamera plays a YUV4MPEG2 film (yuv4mpeg(5), what ffmpeg writes into a .y4m file) again
// and again, in real time. The film is 4:2:0 with 8 bits.
type FileCamera struct {
	path   string
	format capture.Format
}

// NewFileCamera reads the film's header.
func NewFileCamera(path string) (*FileCamera, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("film: %w", err) // os says "open" and names the file
	}
	defer file.Close()
	film, err := newFilm(file)
	if err != nil {
		return nil, fmt.Errorf("film %s: %w", path, err)
	}
	// One frame, so that a wrong file is found now and not when somebody rings.
	pool := capture.NewFramePool(film.format.Width, film.format.Height, film.format.FPS)
	if err := film.next(pool.Get()); err == io.EOF {
		return nil, fmt.Errorf("film %s: byte %d: no frames", path, film.at)
	} else if err != nil {
		return nil, fmt.Errorf("film %s: %w", path, err)
	}
	return &FileCamera{path: path, format: film.format}, nil
}

// Format is what the camera delivers; the rate is rounded.
func (c *FileCamera) Format() capture.Format { return c.format }

// Run plays the film from its beginning until ctx ends or the file cannot be read.
func (c *FileCamera) Run(ctx context.Context, out func(*capture.Frame)) error {
	file, err := os.Open(c.path)
	if err != nil {
		return fmt.Errorf("film: %w", err)
	}
	defer file.Close()
	film, err := newFilm(file)
	if err == nil && film.format != c.format {
		err = errors.New("it is another film than when it was opened first")
	}
	if err != nil {
		return fmt.Errorf("film %s: %w", c.path, err)
	}
	pool := capture.NewFramePool(c.format.Width, c.format.Height, c.format.FPS)
	return tick(ctx, c.format.FPS, func(now time.Time) error {
		f := pool.Get()
		defer f.Release()
		err := film.next(f)
		if err == io.EOF && film.frames > 0 {
			if err = film.rewind(file); err == nil {
				err = film.next(f)
			}
		}
		if err != nil {
			return fmt.Errorf("film %s: %w", c.path, err)
		}
		f.Time = now
		out(f)
		return nil
	})
}

// maxHeader is more than any known header line has.
const maxHeader = 512

// film reads YUV4MPEG2. Errors name the byte.
type film struct {
	r      *bufio.Reader
	at     int64 // of the next byte
	start  int64 // of the first frame
	frames int   // read since the start
	format capture.Format
}

func newFilm(r io.Reader) (*film, error) {
	f := &film{r: bufio.NewReaderSize(r, 64<<10)}
	line, err := f.line()
	if err == io.EOF {
		err = errors.New("byte 0: the file is empty")
	}
	if err != nil {
		return nil, err
	}
	if f.format, err = parseFilmHeader(line); err != nil {
		return nil, fmt.Errorf("byte 0: %w", err)
	}
	f.start = f.at
	return f, nil
}

// line reads a header line without its end. io.EOF: there is none.
func (f *film) line() (string, error) {
	var line []byte
	for {
		c, err := f.r.ReadByte()
		if err == io.EOF && len(line) > 0 {
			err = fmt.Errorf("byte %d: header line is cut short", f.at)
		}
		if err != nil {
			return "", err
		}
		f.at++
		if c == '\n' {
			return string(line), nil
		}
		if len(line) == maxHeader {
			return "", fmt.Errorf("byte %d: header line is longer than %d bytes", f.at, maxHeader)
		}
		line = append(line, c)
	}
}

// parseFilmHeader reads the first line. What is unknown in it does not matter.
func parseFilmHeader(line string) (capture.Format, error) {
	fields := strings.Split(line, " ")
	if fields[0] != "YUV4MPEG2" {
		return capture.Format{}, errors.New("not a YUV4MPEG2 film (.y4m): it does not begin with that word")
	}
	format := capture.Format{Pixel: capture.I420}
	var err error
	for _, field := range fields[1:] {
		if field == "" {
			continue
		}
		value := field[1:]
		switch field[0] {
		case 'W':
			format.Width, err = parseSide("width", value)
		case 'H':
			format.Height, err = parseSide("height", value)
		case 'F':
			format.FPS, err = parseRate(value)
		case 'C':
			switch value {
			case "420", "420jpeg", "420mpeg2", "420paldv":
			default:
				err = fmt.Errorf("colours C%s: only 4:2:0 with 8 bits can be played (ffmpeg -pix_fmt yuv420p)", value)
			}
		case 'I':
			if value != "p" && value != "?" {
				err = fmt.Errorf("interlacing I%s: only progressive films can be played", value)
			}
		}
		if err != nil {
			return capture.Format{}, err
		}
	}
	switch {
	case format.Width == 0 || format.Height == 0:
		return capture.Format{}, errors.New("the header names no width or no height")
	case format.FPS == 0:
		return capture.Format{}, errors.New("the header names no frame rate")
	}
	return format, nil
}

func parseSide(name, s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 16 || n > maxSide || n%2 != 0 {
		return 0, fmt.Errorf("%s %q is not an even number from 16 to %d", name, s, maxSide)
	}
	return n, nil
}

func parseRate(s string) (int, error) {
	over, under, ok := strings.Cut(s, ":")
	n, err1 := strconv.Atoi(over)
	d, err2 := strconv.Atoi(under)
	if !ok || err1 != nil || err2 != nil || n < 1 || d < 1 || n > 1<<30 || d > 1<<30 {
		return 0, fmt.Errorf("frame rate %q is not a ratio such as 20:1", s)
	}
	fps := (n + d/2) / d
	if fps < 1 || fps > maxFPS {
		return 0, fmt.Errorf("frame rate %q is not from 1 to %d a second", s, maxFPS)
	}
	return fps, nil
}

// next reads a frame. io.EOF: the film is over.
func (f *film) next(frame *capture.Frame) error {
	at := f.at
	const marker = "FRAME"
	head, err := f.r.Peek(len(marker) + 1)
	switch {
	case err == io.EOF && len(head) == 0:
		return io.EOF
	case err != nil && err != io.EOF:
		return fmt.Errorf("byte %d: %w", at, err)
	case string(head) == marker+"\n": // as nearly always; and no string is made
		f.r.Discard(len(head))
		f.at += int64(len(head))
	default:
		line, err := f.line()
		if err != nil {
			return err
		}
		if line != marker && !strings.HasPrefix(line, marker+" ") {
			return fmt.Errorf("byte %d: %q where frame %d should begin", at, line[:min(len(line), 16)], f.frames)
		}
	}
	for _, plane := range frame.Planes {
		n, err := io.ReadFull(f.r, plane)
		f.at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("byte %d: frame %d is cut short", f.at, f.frames)
		}
		if err != nil {
			return fmt.Errorf("byte %d: %w", f.at, err)
		}
	}
	f.frames++
	return nil
}

// rewind goes back to the first frame.
func (f *film) rewind(file io.ReadSeeker) error {
	if _, err := file.Seek(f.start, io.SeekStart); err != nil {
		return fmt.Errorf("rewind: %w", err)
	}
	f.r.Reset(file)
	f.at, f.frames = f.start, 0
	return nil
}
