// Collects 40 ms of the microphone and hands it over, on the browser's sound thread.
const BLOCK = 640;

class Taker extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Float32Array(BLOCK);
    this.filled = 0;
  }

  process([channels]) {
    const heard = channels[0];
    if (!heard) return true;
    for (let at = 0; at < heard.length; ) {
      const count = Math.min(heard.length - at, BLOCK - this.filled);
      this.samples.set(heard.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled < BLOCK) continue;
      this.port.postMessage({ samples: this.samples, until: currentTime + at / sampleRate }, [this.samples.buffer]);
      this.samples = new Float32Array(BLOCK);
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("taker", Taker);
