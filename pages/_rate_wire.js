// The way of an answer to the workbench: tried until it is on disk, kept over a reload until then, never sent twice.

const PAUSES = [400, 800, 1600, 3200, 6400, 10000]; // ms between tries; the last one repeats
const LATE = 15000; // ms after which an answer counts as not arrived

const wire = (token, trouble) => {
  const url = `/app/rate/${encodeURIComponent(token)}`, kept = `rate ${token}`;
  let ended = false, wake = () => {};

  const once = async (payload) => {
    const about = payload
      ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(payload) }
      : { method: "GET" };
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), LATE);
    try {
      const response = await fetch(url, { ...about, cache: "no-store", signal: late.signal });
      const said = await response.json().catch(() => ({}));
      if (response.ok && said.items) return { state: said };
      if (response.status === 409) return { state: said.state, taken: said.error };
      if (response.status === 404 && said.error) return { gone: said.error };
      if (response.status === 422) return { state: said.state, refused: said.error };
      if (response.status < 500 && response.status !== 404) return { refused: said.error ?? `The workbench answered ${response.status}.` };
      return { trouble: said.error ?? `The workbench answered ${response.status}.` };
    } catch {
      return { trouble: "The workbench does not answer." };
    } finally {
      clearTimeout(timer);
    }
  };
  const pause = (ms) => new Promise((resolve) => { wake = resolve; setTimeout(resolve, ms); });
  // Tries until the workbench has said something. What had arrived after all is refused the second time, with the state.
  const until = async (payload) => {
    for (let n = 0; ; n += 1) {
      const answer = await once(payload);
      if (ended) return { ended };
      if (!answer.trouble) return { ...answer, again: n > 0 };
      const ms = PAUSES[Math.min(n, PAUSES.length - 1)];
      trouble(answer.trouble, Boolean(payload));
      await pause(ms);
    }
  };
  const store = (payload) => { // private windows may refuse to store
    try { if (payload) sessionStorage.setItem(kept, JSON.stringify(payload)); else sessionStorage.removeItem(kept); } catch { /* then a reload forgets it */ }
  };
  const unsent = () => { try { return JSON.parse(sessionStorage.getItem(kept)); } catch { return null; } };

  return {
    look: () => until(null),
    glance: () => once(null),
    send: async (payload) => {
      store(payload);
      const answer = await until(payload);
      if (!answer.ended) store(null);
      return answer;
    },
    unsent,
    now: () => wake(),
    end: () => { ended = true; wake(); },
  };
};
