package callcore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	reports "github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"intercom/capture"
)

// How long pion's ICE agent, when it is the one that chooses, waits for something better
// than a working pair of this kind. Its own defaults (0.5, 1 and 2 s) are time in which
// the visitor is not heard; a better pair that turns up later would still be taken.
const (
	reflexiveWait     = 20 * time.Millisecond
	peerReflexiveWait = 50 * time.Millisecond
	relayWait         = 300 * time.Millisecond
)

const (
	// iceChecks is how often a pair is tried before it is given up: pion's seven rounds of
	// 200 ms, and one for each of the nudges, which are rounds too.
	iceChecks = 7 + uint16(len(nudges))

	// iceSilence: without a packet for this long a connection counts as lost, as in
	// browsers.
	iceSilence = 5 * time.Second
	// iceKeepalive is pion's default.
	iceKeepalive = 2 * time.Second
	// iceSpare keeps pion's agent alive a little longer than our own limit, which is the
	// one that decides.
	iceSpare = 5 * time.Second
)

// dtlsInterval is the first retransmission of DTLS; the default of 1 s (RFC 6347, 4.2.4.1)
// is long against the rest of a call's start.
const dtlsInterval = 200 * time.Millisecond

// maxNacks is how often a packet is asked for, every 100 ms: later it is of no use. pion does
// not notice that it came as RTX, and would ask until 512 others have come.
const maxNacks = 4

// engine is what the connections of a client share.
type engine struct {
	net          network
	media        *webrtc.MediaEngine
	interceptors []interceptor.Factory
	setting      webrtc.SettingEngine
	config       webrtc.Configuration
	codecs       []capture.Codec // best first
}

func newEngine(cfg Config) (*engine, error) {
	codecs := cfg.Media.Codecs()
	media, err := newMediaEngine(codecs)
	if err != nil {
		return nil, err
	}
	logs := newPionLogs(cfg.Logger)
	interceptors, err := newInterceptors(logs)
	if err != nil {
		return nil, err
	}
	certificate, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("make a DTLS certificate: %w", err)
	}

	var s webrtc.SettingEngine
	s.LoggerFactory = logs
	network, err := newNetwork(cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare the network: %w", err)
	}
	s.SetNet(network)
	s.SetICEProxyDialer(relayDialer{network, network.turn})
	s.SetNetworkTypes(network.types())
	s.SetIncludeLoopbackCandidate(true) // a browser on the same machine
	s.SetICETimeouts(iceSilence, cfg.Timers.Disconnect+iceSpare, iceKeepalive)
	s.SetICEMaxBindingRequests(iceChecks)
	s.SetHostAcceptanceMinWait(0)
	s.SetSrflxAcceptanceMinWait(reflexiveWait)
	s.SetPrflxAcceptanceMinWait(peerReflexiveWait)
	if cfg.ICE.Policy == PolicyRelay {
		s.SetRelayAcceptanceMinWait(0) // nothing better can turn up
	} else {
		s.SetRelayAcceptanceMinWait(relayWait)
	}
	s.SetDTLSRetransmissionInterval(dtlsInterval)
	// The cookie of DTLS (RFC 6347, 4.2.1) costs a round trip to prove that the peer has
	// the address it sends from, which ICE has proved already. Browsers leave it out, too.
	s.SetDTLSInsecureSkipHelloVerify(true)

	c := webrtc.Configuration{Certificates: []webrtc.Certificate{*certificate}}
	if cfg.ICE.Policy == PolicyRelay {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	for _, i := range cfg.ICE.Servers {
		c.ICEServers = append(c.ICEServers, webrtc.ICEServer{URLs: i.URLs, Username: i.Username, Credential: i.Credential})
	}
	return &engine{net: network, media: media, interceptors: interceptors, setting: s, config: c, codecs: codecs}, nil
}

// offered are the codecs that can be negotiated, with the payload types that browsers use
// for them by habit; rtx is the one of its retransmissions (RFC 4588).
var offered = map[capture.Codec]struct {
	params webrtc.RTPCodecParameters
	rtx    webrtc.PayloadType
}{
	capture.Opus: {params: webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"},
		PayloadType:        111,
	}},
	// Constrained baseline, level 3.1: what every browser and phone decodes (RFC 7742, 6.2).
	capture.H264: {rtx: 103, params: webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
		PayloadType:        102,
	}},
	// Safari's SDK offers no H.264 (protocol.md 4.9).
	capture.VP8: {rtx: 97, params: webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000},
		PayloadType:        96,
	}},
}

func newMediaEngine(codecs []capture.Codec) (*webrtc.MediaEngine, error) {
	m := new(webrtc.MediaEngine)
	sound := false
	for _, c := range codecs {
		o, ok := offered[c]
		if !ok {
			return nil, fmt.Errorf("media: codec %q cannot be sent", c)
		}
		kind := webrtc.RTPCodecTypeAudio
		if c.IsVideo() {
			kind = webrtc.RTPCodecTypeVideo
		}
		sound = sound || !c.IsVideo()
		if err := m.RegisterCodec(o.params, kind); err != nil {
			return nil, fmt.Errorf("media: codec %s: %w", c, err)
		}
		if o.rtx == 0 {
			continue
		}
		rtx := webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: o.params.ClockRate, SDPFmtpLine: fmt.Sprintf("apt=%d", o.params.PayloadType)},
			PayloadType:        o.rtx,
		}
		if err := m.RegisterCodec(rtx, kind); err != nil {
			return nil, fmt.Errorf("media: retransmissions of %s: %w", c, err)
		}
	}
	if !sound {
		return nil, fmt.Errorf("media: no codec for sound among %v", codecs)
	}
	for _, f := range []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}, {Type: "goog-remb"}, {Type: "transport-cc"}} {
		m.RegisterFeedback(f, webrtc.RTPCodecTypeVideo)
	}
	m.RegisterFeedback(webrtc.RTCPFeedback{Type: "transport-cc"}, webrtc.RTPCodecTypeAudio)
	for _, uri := range []string{sdp.TransportCCURI, sdp.SDESMidURI} {
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return nil, fmt.Errorf("media: header extension %s: %w", uri, err)
			}
		}
	}
	return m, nil
}

// newInterceptors answers and asks for retransmissions, writes reports, and tells senders
// what arrives and when, from which browsers estimate what they may send. It leaves out
// pion's statistics, which cost on every packet.
func newInterceptors(logs pionLogs) ([]interceptor.Factory, error) {
	responder, err := nack.NewResponderInterceptor(nack.WithResponderLoggerFactory(logs))
	if err != nil {
		return nil, fmt.Errorf("media: answer NACKs: %w", err)
	}
	generator, err := nack.NewGeneratorInterceptor(nack.GeneratorMaxNacksPerPacket(maxNacks), nack.WithGeneratorLoggerFactory(logs))
	if err != nil {
		return nil, fmt.Errorf("media: send NACKs: %w", err)
	}
	receiver, err := reports.NewReceiverInterceptor(reports.WithReceiverLoggerFactory(logs))
	if err != nil {
		return nil, fmt.Errorf("media: receiver reports: %w", err)
	}
	sender, err := reports.NewSenderInterceptor(reports.WithSenderLoggerFactory(logs))
	if err != nil {
		return nil, fmt.Errorf("media: sender reports: %w", err)
	}
	arrivals, err := twcc.NewSenderInterceptor(twcc.WithLoggerFactory(logs))
	if err != nil {
		return nil, fmt.Errorf("media: transport-wide feedback: %w", err)
	}
	return []interceptor.Factory{responder, generator, receiver, sender, arrivals}, nil
}

// api makes the PeerConnection of one connection: each has its own numbering, before all
// others, which makes it the last to see a packet.
func (e *engine) api(s webrtc.SettingEngine, n *numbering) *webrtc.API {
	r := new(interceptor.Registry)
	r.Add(n)
	for _, f := range e.interceptors {
		r.Add(f)
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(e.media), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(s))
}

// newCertificate makes the certificate that all connections show. A month's validity, as
// pion makes them, would end calls on a device that runs for years, or that boots with its
// clock in 1970. Peers check the fingerprint, not the dates (RFC 8827, 6.5); so it has
// none: see RFC 5280, 4.1.2.5.
func newCertificate() (*webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, err
	}
	name := pkix.Name{CommonName: "WebRTC"}
	return webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: serial,
		Issuer:       name,
		Subject:      name,
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	})
}
