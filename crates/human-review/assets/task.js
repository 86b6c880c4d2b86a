// The reviewer's page at work. Nothing typed is lost: drafts and answers that are not stored yet lie in this browser, and
// are sent until the server has said that it has them. The next task lies ready while this one is read.
//
// Without this script the forms of the page do the same, one page after another.
(() => {
  'use strict';
  const form = document.getElementById('task-form');
  const body = document.getElementById('task-body');
  const account = document.querySelector('.portal-account');
  if (!account) return;
  const reviewer = document.getElementById('reviewer').textContent;
  const byId = (id) => document.getElementById(id);
  const isSwapped = Boolean(form?.dataset.swapped);
  const REMEMBERED = 10;
  const LONGEST_PAUSE = 30_000;
  const WARN_BEFORE = 300_000;
  const WARN_BEFORE_END = 900_000; // of a session: a new link has to be asked for
  const LOOK_FOR_SESSION = 15_000;
  const DRAFT_LIFETIME = 30 * 24 * 3_600_000;
  // What is said of a task itself: an answer to it would be refused again.
  const OF_ITS_TASK = ['task_not_found', 'task_held', 'task_answered', 'task_closed', 'task_for_others', 'correction_refused'];
  const UNREAD = 200; // ms that a text is on the page before anybody can have read it

  // What one reviewer keeps in this browser; in memory only what the browser does not take: its storage may be full, or off.
  const memory = new Map();
  const unstored = new Set(); // names whose newest value is in memory only
  const place = (name) => `review:${reviewer}:${name}`;
  const store = {
    get(name) {
      if (unstored.has(name)) return memory.get(name) ?? null;
      try {
        return JSON.parse(localStorage.getItem(place(name)));
      } catch {
        return memory.get(name) ?? null;
      }
    },
    set(name, value) {
      memory.set(name, value);
      try {
        localStorage.setItem(place(name), JSON.stringify(value));
        unstored.delete(name);
      } catch {
        unstored.add(name);
      }
      sayUnstored();
    },
    remove(name) {
      memory.delete(name);
      unstored.delete(name);
      try {
        localStorage.removeItem(place(name));
      } catch { /* there is none */ }
      // There may be room by now.
      for (const other of [...unstored]) store.set(other, memory.get(other));
      sayUnstored();
    },
    names(beginning) {
      const names = new Set([...memory.keys()].filter((name) => name.startsWith(beginning)));
      try {
        for (const key of Object.keys(localStorage)) {
          if (key.startsWith(place(beginning))) names.add(key.slice(place('').length));
        }
      } catch { /* in memory only */ }
      return [...names];
    },
  };

  // What the browser keeps as long as the tab is open.
  const counted = {
    get() {
      try {
        return Number(sessionStorage.getItem('review:answered') ?? 0);
      } catch {
        return 0;
      }
    },
    set(count) {
      try {
        sessionStorage.setItem('review:answered', String(count));
      } catch { /* counted on this page only */ }
    },
  };

  let token = account.elements.namedItem('portal:csrf').value;
  let sessionEnd = Date.now() + Number(account.dataset.sessionSeconds ?? Infinity) * 1_000;
  let isEndSaid = false;
  let lookedAt = 0; // when the session was last asked for, once its end was said
  let current = null; // the task on the page
  let next = null; // the one that lies ready
  let stash = null; // the task to come back to after an undo
  let done = []; // what was answered on this page, oldest first
  let undoAt = null; // where in it the undo is
  let isWanting = false; // the reviewer is done, and the next task is not here yet
  let noMore = false; // the server had no other when it was last asked
  let fetching = false;
  let sending = false;
  let failures = 0;
  let trouble = ''; // why what failed last did
  let isPauseSaid = false;
  const held = new Set(); // stamps of what the server could not store now, while it may store the rest
  let timer = 0;
  let signInTimer = 0;
  let unreadTimer = 0;
  let waiting = Number(byId('progress')?.dataset.waiting ?? 0);
  let hasMore = byId('progress')?.textContent.includes('+') ?? false;
  let answered = counted.get();

  const say = (id, text, ...more) => {
    const element = byId(id);
    if (!element || (element.textContent === text && !more.length)) return;
    element.replaceChildren(text, ...more);
  };
  const link = (text, href, properties = {}) => Object.assign(document.createElement('a'), { textContent: text, href, ...properties });
  const alertWith = (text, ...more) => say('portal-alert', text, ...more);

  // Answers that are gone when the page is.
  const hereOnly = () => [...unstored].filter((name) => name.startsWith('outbox:')).length;
  function sayUnstored() {
    const words = 'This browser stores nothing now: its storage is full, or switched off. Answers and drafts are kept only while this page is open.';
    say('storage-warning', unstored.size ? words : '');
  }

  const pending = () => store.names('outbox:').map((name) => store.get(name)).filter(Boolean)
    .sort((one, other) => one.stamp - other.stamp);

  const due = () => pending().filter((entry) => !held.has(entry.stamp));

  // Tasks that the reviewer has before them, or has answered without the server knowing.
  const before = () => [current, stash, next, ...pending()].filter(Boolean).map((task) => task.loop);

  const request = async (address, fields) => {
    // Whose page it is: nothing is taken for anybody else who has signed in since.
    const options = { headers: { accept: 'application/json', 'x-form-token': token }, cache: 'no-store', signal: AbortSignal.timeout(LONGEST_PAUSE) };
    if (fields) Object.assign(options, { method: 'POST', body: new URLSearchParams({ ...fields, 'portal:csrf': token }) });
    const response = await fetch(address, options);
    const reply = await response.json().catch(() => null);
    // What is no JSON is of something on the way: its status says that it turned this away, or else that nothing was stored.
    return { status: reply || response.status >= 400 ? response.status : 500, reply: reply ?? {} };
  };

  // ---- Sending -------------------------------------------------------------------------------------------------

  let isWaitSaid = false;
  const showSaving = (saved) => {
    const left = pending().length;
    if (!left) {
      // What waited and was not sent from here has another tab sent.
      if (saved || isWaitSaid) say('portal-status', saved || 'Sent in another tab');
    } else if (failures) {
      const where = hereOnly() ? 'on this page only: leave it open' : 'in this browser';
      say('portal-status', `Not saved yet: ${trouble}. ${left} kept ${where}, sent as soon as it can be.`);
    } else say('portal-status', 'Saving …');
    isWaitSaid = left > 0;
    const undo = byId('undo');
    if (undo) undo.hidden = !done.length && !(store.get('recent') ?? []).length;
  };

  const schedule = () => {
    clearTimeout(timer);
    const again = () => {
      timer = 0;
      flush();
    };
    timer = setTimeout(again, Math.min(LONGEST_PAUSE, 500 * 2 ** Math.min(failures, 10)));
  };
  const later = (why) => {
    failures += 1;
    trouble = why;
    schedule();
    showSaving();
  };

  const isPaused = (status, reply) => status === 403 && reply.code === 'paused';
  const sayPaused = () => {
    isPauseSaid = true;
    alertWith('You are paused by an operator of this portal. What you have answered is kept in this browser, and is sent by itself once you are let in again.');
  };
  const unsayPaused = () => {
    if (isPauseSaid) alertWith('');
    isPauseSaid = false;
  };

  const renewSession = async () => {
    const { status, reply } = await request('session').catch(() => ({ status: 0, reply: {} }));
    if (isPaused(status, reply)) {
      sayPaused();
      return 'paused';
    }
    if (status !== 200) return status === 401 ? 'ended' : 'unknown';
    if (reply.reviewer !== reviewer) return 'another';
    token = reply.formToken;
    sessionEnd = Date.now() + (reply.secondsLeft ?? Infinity) * 1_000;
    document.querySelectorAll('input[name="portal:csrf"]').forEach((input) => { input.value = token; });
    unsayPaused();
    return 'renewed';
  };

  const whereToSignIn = () => link('Sign in', 'sign-in', { target: '_blank', rel: 'noopener', id: 'sign-in-again' });

  // Says once that the session ends soon, and looks from then on whether there is a new one.
  const watchSession = () => {
    if (sessionEnd - Date.now() > WARN_BEFORE_END) {
      if (isEndSaid) say('session-warning', '');
      isEndSaid = false;
    } else if (!isEndSaid) {
      isEndSaid = true;
      lookedAt = Date.now();
      const at = new Date(sessionEnd).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
      say('session-warning', `Your session ends at ${at}. Sign in with a new link in another tab before, and this page goes on as it is. `, whereToSignIn());
    } else if (!saidState && Date.now() - lookedAt > LOOK_FOR_SESSION) {
      lookedAt = Date.now();
      renewSession().then((state) => {
        if (['ended', 'another'].includes(state)) waitForSignIn(state);
      });
    }
  };

  // The page stays as it is; a sign-in in another tab lets it go on.
  let saidState = '';
  const waitForSignIn = (state) => {
    clearTimeout(signInTimer);
    signInTimer = setTimeout(tryAgain, 3_000);
    if (['unknown', 'paused', saidState].includes(state)) return;
    saidState = state;
    say('session-warning', '');
    const kept = 'Nothing is lost: your answers are kept in this browser, and this page goes on by itself.';
    if (state === 'another') alertWith(`Somebody else is signed in here now. What ${reviewer} answered waits in this browser until ${reviewer} signs in again.`);
    else alertWith(`Your session has ended. Please sign in with a new link in another tab. ${kept} `, whereToSignIn());
  };
  const tryAgain = async () => {
    clearTimeout(signInTimer);
    const state = await renewSession();
    if (state === 'renewed') {
      saidState = '';
      alertWith('');
      flush();
    } else waitForSignIn(state);
  };

  // What was refused for good stays on the list until its task is answered, or until the reviewer takes it off.
  const refuse = (entry, { title, detail }) => {
    const address = `task?loop=${entry.loop}${entry.isCorrection ? '&correct=yes' : ''}`;
    store.set(`refused:${entry.id}`, { at: Date.now(), address, words: `${title}. ${detail}` });
    showRefused();
  };
  const settle = (id) => {
    if (!store.get(`refused:${id}`)) return;
    store.remove(`refused:${id}`);
    showRefused();
  };
  const refusedLine = ({ name, address, words }) => {
    const line = document.createElement('p');
    const off = Object.assign(document.createElement('button'), { type: 'button', className: 'quiet', textContent: 'Take off this list' });
    off.addEventListener('click', () => {
      store.remove(name);
      showRefused();
      document.dispatchEvent(new Event('portal-task'));
    });
    line.append(`Not taken: ${words} `, link('Open that task', address), ' ', off);
    return line;
  };
  const showRefused = () => {
    const all = store.names('refused:').map((name) => ({ ...store.get(name), name })).filter(({ at }) => at);
    all.sort((one, other) => one.at - other.at);
    byId('refused-answers')?.replaceChildren(...all.map(refusedLine));
  };

  const isFinal = (status, code) => Boolean(code)
    && (status === 400 || ([403, 404, 409, 410].includes(status) && OF_ITS_TASK.includes(code)));
  // Why an answer waits that is not stored now.
  const why = (status, reply) => {
    if (status === 429) return 'the portal has too much to do';
    if (status >= 500 || status === 200) return 'the server could not store it';
    return `it was turned away (${reply.code ?? status})`;
  };

  // Returns whether the outbox may go on.
  const send = async (entry) => {
    const wanted = isSwapped && !next ? 'yes' : 'no';
    let outcome;
    try {
      outcome = await request(entry.kind, { ...entry.fields, 'portal:without': before().join(' '), 'portal:next': wanted });
    } catch {
      later('no connection');
      return false;
    }
    const { status, reply } = outcome;
    if (status === 200 && (reply.saved || reply.skipped)) {
      if (!held.size) failures = 0;
      unsayPaused();
      settle(entry.id);
      if (store.get(`outbox:${entry.id}`)?.stamp === entry.stamp) {
        store.remove(`outbox:${entry.id}`);
        store.remove(`draft:${entry.id}`);
      }
      const verdict = entry.verdict ? ` · ${entry.verdict}` : '';
      showSaving(reply.saved ? `Saved${verdict}` : 'Skipped');
      if (wanted === 'yes') arrive(reply);
      return true;
    }
    if (status === 401 || (status === 403 && reply.code === 'form_invalid')) {
      const state = await renewSession();
      if (state === 'unknown') later('no connection');
      else if (state === 'paused') later('you are paused');
      else if (state !== 'renewed') waitForSignIn(state);
      return state === 'renewed';
    }
    if (isPaused(status, reply)) {
      sayPaused();
      later('you are paused');
      return false;
    }
    if (isFinal(status, reply.code)) {
      // The draft stays: what was typed can be looked at again. What was answered anew since is sent next.
      if (store.get(`outbox:${entry.id}`)?.stamp !== entry.stamp) return true;
      store.remove(`outbox:${entry.id}`);
      if (!isSwapped && body) {
        isWanting = false;
        body.inert = false;
      }
      refuse(entry, reply);
      showSaving('Not saved');
      return true;
    }
    later(why(status, reply));
    // Where it is one answer that is not taken now, the others do not wait for it: its results have a place of their own, or
    // something on the way to the portal turned it away.
    const isAlone = (status === 503 && reply.code) || (status >= 400 && status < 500 && status !== 429);
    if (isAlone) held.add(entry.stamp);
    if (!isSwapped && body && status < 500 && status !== 429) {
      alertWith('Your answer was turned away on its way. It is kept, and sent again by itself. ', link('Change it', `task?loop=${entry.loop}`));
    }
    return isAlone;
  };

  async function flush() {
    if (sending) return;
    sending = true;
    clearTimeout(timer);
    timer = 0;
    try {
      held.clear();
      for (let [entry] = due(); entry; [entry] = due()) {
        if (!await send(entry)) return;
      }
      if (held.size && !isSwapped) return;
    } finally {
      sending = false;
      // The pause may have been over while others were sent.
      if (held.size && !timer) schedule();
    }
    showSaving();
    if (isWanting && isSwapped) goOn();
    else if (isWanting) location.assign('next');
    else lookAhead();
  }

  const put = (kind, fields, verdict) => {
    const isCorrection = undoAt !== null || Boolean(current.previous);
    const entry = { kind, stamp: Date.now() + Math.random(), loop: current.loop, id: current.id, fields, verdict, isCorrection };
    store.set(`outbox:${entry.id}`, entry);
    settle(entry.id);
    showSaving();
  };

  // ---- Tasks ---------------------------------------------------------------------------------------------------

  const showProgress = () => {
    const all = `${answered + 1} of ${answered + Math.max(1, waiting)}${hasMore ? '+' : ''}`;
    document.title = `Task · ${all}`;
    say('progress', all);
  };

  const arrive = (reply) => {
    if (reply.waiting !== undefined) {
      waiting = Math.max(0, reply.waiting - pending().length);
      hasMore = reply.hasMore;
    }
    if (reply.nextFailed) {
      if (isWanting && !pending().length) location.assign('next');
      return;
    }
    // Two requests may bring one task, or one too many.
    const isKnown = reply.next && before().includes(reply.next.loop);
    if (reply.next !== undefined) noMore = reply.next === null && !next;
    if (reply.next === null) { /* nothing else waits */ } else if (reply.next && next && !isKnown) request('give-back', { 'portal:loop': reply.next.loop }).catch(() => {});
    else if (isKnown) { /* it is here already */ } else if (reply.next && !reply.next.html) next = { ...withLease(reply.next), isElsewhere: true };
    else if (reply.next) next = ready(reply.next);
    form.dataset.ready = next ? 'yes' : 'no';
    if (isWanting) goOn();
    else if (current) showProgress();
  };

  // Scripts do not run that come in this way; styles are there from the first task on.
  const ready = (task) => {
    const page = document.createElement('template');
    page.innerHTML = task.html;
    page.content.querySelectorAll('script, style').forEach((element) => element.remove());
    return { ...withLease(task), html: '', nodes: [...page.content.childNodes] };
  };

  const withLease = (task) => {
    const leaseLength = (task.leaseSeconds ?? 0) * 1_000;
    return { ...task, leaseLength, leaseEnd: Date.now() + leaseLength };
  };

  // A reviewer who was faster than the server took the task that came: another one has to lie ready.
  const lookAhead = () => {
    if (isSwapped && current && !next && !noMore && !sending && !due().length) prefetch();
  };

  async function prefetch() {
    if (fetching) return;
    fetching = true;
    const address = `next?without=${encodeURIComponent(before().join(' '))}`;
    const { status, reply } = await request(address).catch(() => ({ status: 0, reply: {} }));
    fetching = false;
    if (status === 200) {
      unsayPaused();
      arrive(reply);
      lookAhead();
      return;
    }
    let state = status === 401 ? 'ended' : 'renewed';
    // Somebody else may have signed in here: nothing is fetched in their name.
    if (status === 403 && reply.code === 'form_invalid') state = await renewSession();
    else if (isPaused(status, reply)) sayPaused();
    if (state !== 'renewed') waitForSignIn(state);
    else if (isWanting) setTimeout(prefetch, 2_000);
    else if (reply.code === 'form_invalid') lookAhead();
  }

  const leave = () => {
    if (current) current.nodes = [...body.childNodes];
  };

  const show = (task) => {
    current = task;
    current.shownAt = Date.now();
    clearTimeout(unreadTimer);
    delete form.dataset.unread;
    body.replaceChildren(...task.nodes);
    form.elements.namedItem('portal:loop').value = task.loop;
    form.elements.namedItem('portal:loop-id').value = task.id;
    form.dataset.loop = task.loop;
    const skip = byId('skip-form');
    skip.elements.namedItem('portal:loop').value = task.loop;
    skip.elements.namedItem('portal:reason').value = '';
    skip.classList.remove('open');
    // A reload shows what is shown now.
    window.history.replaceState(null, '', `task?loop=${task.loop}${undoAt === null ? '' : '&correct=yes'}`);
    window.scrollTo(0, 0);
    document.dispatchEvent(new Event('portal-task'));
    if (!task.isRestored) restore(task);
    say('undoing', undoAt === null ? '' : 'You answer a task again. Esc goes back.');
    showProgress();
    if (task.leaseLength && task.leaseEnd - Date.now() < task.leaseLength / 2) renew();
  };

  // Shows a text that came in the place of another one.
  const swapTo = (task) => {
    show(task);
    form.dataset.unread = 'yes';
    unreadTimer = setTimeout(() => { delete form.dataset.unread; }, UNREAD);
  };

  // A key or button that is pressed twice meant the text before, and one that comes before its text means none. What opens
  // something, moves or undoes may come at any time.
  const refuseUnread = (event) => {
    const isFetching = isSwapped && !current;
    if ((!form.dataset.unread && !isFetching) || help?.open) return;
    if ((event.ctrlKey || event.metaKey || event.altKey) && event.key !== 'Enter') return;
    const isOfKey = /^(?:Enter|[ n])$/.test(said(event)) || /^(?:Digit|Numpad)\d$/.test(event.code);
    const isElsewhere = event.target.closest('input, textarea, select, a, summary, .portal-bar, .portal-notes');
    const isChoice = event.type === 'click' ? event.target.closest('#task-body button') : isOfKey && !isElsewhere;
    if (!isChoice) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return;
    if (isFetching) say('undoing', 'Not taken: the next text is not here yet. It is being fetched …');
    else say('undoing', 'Not taken: this text had only just come. Please choose again.');
  };

  function goOn() {
    undoAt = null;
    if (stash) {
      const task = stash;
      stash = null;
      isWanting = false;
      swapTo(task);
      lookAhead();
      return;
    }
    if (next?.isElsewhere && !hereOnly()) {
      const { loop } = next;
      next = null;
      location.assign(`task?loop=${loop}`);
      return;
    }
    if (next && !next.isElsewhere) {
      const task = next;
      next = null;
      form.dataset.ready = 'no';
      isWanting = false;
      swapTo(task);
      return;
    }
    isWanting = true;
    current = null;
    body.replaceChildren(Object.assign(document.createElement('h1'), { textContent: 'The next text' }));
    say('undoing', 'Fetching the next text …');
    document.title = 'Task · fetching the next';
    if (due().length || sending || next) return;
    if (!noMore) prefetch();
    else if (held.size || byId('portal-alert').textContent || byId('refused-answers').textContent) say('undoing', 'Nothing else waits for you.');
    else location.assign('queue');
  }

  const restore = (task) => {
    task.isRestored = true;
    const draft = store.get(`draft:${task.id}`) ?? (task.previous && { answer: task.previous });
    if (!draft) return;
    const event = new CustomEvent('portal-restore', { detail: draft.answer, cancelable: true });
    if (document.dispatchEvent(event)) form.portalRestore?.(draft.answer);
    if (store.get(`draft:${task.id}`)) say('portal-status', 'What you had entered here is back.');
  };

  const keepDraft = () => {
    if (!current || !form.portalAnswer) return;
    store.set(`draft:${current.id}`, { at: Date.now(), answer: form.portalAnswer() });
  };

  // What nobody came back to is forgotten some day.
  const forgetOldDrafts = () => {
    for (const name of store.names('draft:')) {
      if (!(store.get(name)?.at > Date.now() - DRAFT_LIFETIME)) store.remove(name);
    }
  };

  const remember = (loop) => {
    const names = (store.get('recent') ?? []).filter((name) => name !== loop);
    store.set('recent', [...names, loop].slice(-REMEMBERED));
  };

  const submit = (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    if (!current || isWanting) return;
    const spent = String(Math.max(0, (Date.now() - current.shownAt) / 1_000));
    const own = Object.fromEntries(['loop', 'loop-id', 'answer', 'guideline'].map((name) => [
      `portal:${name}`, form.elements.namedItem(`portal:${name}`)?.value ?? '']));
    put('submit', { ...own, 'portal:spent': spent }, form.dataset.verdict);
    form.dataset.verdict = '';
    // An answer to a labelling job is a label at once: there is nothing to undo.
    if (!form.dataset.counts) remember(current.loop);
    if (undoAt === null && !current.previous) {
      answered += 1;
      waiting -= 1;
      counted.set(answered);
    }
    afterStep(true);
  };

  const afterStep = (isAnswer) => {
    if (!isSwapped) {
      isWanting = true;
      body.inert = true;
      flush();
      return;
    }
    leave();
    if (isAnswer) done = [...done.filter((task) => task.id !== current.id), current].slice(-REMEMBERED);
    goOn();
    flush();
  };

  const skip = (event) => {
    event.preventDefault();
    if (!current || isWanting || undoAt !== null) return;
    const reason = event.target.elements.namedItem('portal:reason').value;
    put('release', { 'portal:loop': current.loop, 'portal:reason': reason });
    store.remove(`draft:${current.id}`);
    waiting -= 1;
    afterStep(false);
  };

  const undo = () => {
    if (!isSwapped) return;
    const index = (undoAt ?? done.length) - 1;
    if (index >= 0 && done[index]) {
      leave();
      if (undoAt === null && current) stash = current;
      undoAt = index;
      isWanting = false;
      show(done[index]);
      return;
    }
    const known = done.map((task) => task.loop);
    const recent = store.get('recent') ?? [];
    // Back from the oldest that is open, not from the newest again.
    const from = recent.indexOf(done.length ? done[0].loop : current?.loop);
    const older = recent.slice(0, from < 0 ? undefined : from).filter((loop) => !known.includes(loop) && loop !== current?.loop);
    if (!older.length) say('portal-status', 'There is nothing older to undo here: see History.');
    else if (pending().length) say('portal-status', 'Earlier answers can be opened once all is saved.');
    else location.assign(`task?loop=${older.at(-1)}&correct=yes`);
  };

  // ---- Leases --------------------------------------------------------------------------------------------------

  let isRenewing = false;
  async function renew(task = current) {
    if (isRenewing || !task?.leaseLength) return;
    isRenewing = true;
    try {
      const { status, reply } = await request('renew', { 'portal:loop': task.loop });
      if (status === 200) {
        task.leaseLength = reply.leaseSeconds * 1_000;
        task.leaseEnd = Date.now() + task.leaseLength;
        task.isAhead = false;
        task.isWarned = false;
        if (task === current) say('lease-warning', '');
      } else if (['task_held', 'task_closed', 'task_not_found'].includes(reply.code)) {
        task.leaseLength = 0;
        if (task === next) {
          next = null;
          form.dataset.ready = 'no';
          lookAhead();
        } else if (task === current && reply.code === 'task_not_found') say('lease-warning', 'This task is gone: it was deleted, or its text was erased. It takes no answer any more.');
        else if (task === current) say('lease-warning', 'Somebody else has answered or opened this task meanwhile. Your answer counts beside theirs.');
      } else if (status === 401) waitForSignIn('ended');
    } catch { /* the next key tries again */ } finally {
      isRenewing = false;
    }
  }
  const isActive = () => {
    if (current?.leaseLength && current.leaseEnd - Date.now() < current.leaseLength * 0.75) renew();
  };
  const watchLease = () => {
    // What was fetched ahead is held for minutes only, in case its reply finds nobody: kept as long as the page is open.
    const isShort = (task) => task?.isAhead && task.leaseLength && task.leaseEnd - Date.now() < task.leaseLength / 2;
    const ahead = [current, stash, next].find(isShort);
    if (ahead) {
      renew(ahead);
      return;
    }
    if (!current?.leaseLength || current.isWarned) return;
    const left = current.leaseEnd - Date.now();
    if (left > Math.min(WARN_BEFORE, current.leaseLength / 2)) return;
    current.isWarned = true;
    const keep = Object.assign(document.createElement('button'), { type: 'button', className: 'quiet', textContent: 'Keep it' });
    keep.addEventListener('click', () => renew());
    const minutes = Math.max(1, Math.round(left / 60_000));
    say('lease-warning', `This task is yours for ${minutes} more min: any key keeps it. `, keep);
  };

  // ---- Keys ----------------------------------------------------------------------------------------------------

  const letters = byId('letters');
  const applyLetters = () => {
    const isOff = store.get('letters') === 'off';
    document.documentElement.dataset.letters = isOff ? 'off' : 'on';
    if (letters) letters.checked = !isOff;
  };
  const help = byId('help');
  const actions = { u: undo, s: () => openSkip(), '?': () => help.showModal(), g: () => openGuideline() };
  const openSkip = () => {
    const reason = byId('skip-reason');
    byId('skip-form').classList.add('open');
    reason.focus();
  };
  const openGuideline = () => {
    const details = document.querySelector('#guideline details');
    if (details) details.open = !details.open;
  };

  // The letter on a key: where a layout writes no Latin letters, the one beside its own; Caps Lock makes no other key of it.
  const said = ({ key = '', code = '', shiftKey }) => {
    if (key === '؟') return '?';
    const isOther = /^\p{L}$/u.test(key) && !/\p{Script=Latin}/u.test(key);
    const letter = isOther ? code.replace(/^Key(?=[A-Z]$)/, '') : key;
    return shiftKey || letter.length > 1 ? letter : letter.toLowerCase();
  };

  const onKey = (event) => {
    isActive();
    // Of a word that is being written in another script.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Escape' && undoAt !== null && !help?.open && !event.defaultPrevented) {
      event.preventDefault();
      leave();
      goOn();
      return;
    }
    if (event.key === 'Escape' && event.target.id === 'skip-reason') {
      byId('skip-form').classList.remove('open');
      document.dispatchEvent(new Event('portal-task'));
    }
    if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey || help?.open) return;
    if (event.target.matches('input, textarea, select') || document.documentElement.dataset.letters === 'off') return;
    const action = actions[said(event)];
    if (!action) return;
    event.preventDefault();
    action();
  };

  applyLetters();
  showRefused();
  window.addEventListener('storage', showRefused); // another tab has dealt with one
  window.addEventListener('online', flush);
  window.addEventListener('focus', () => { if (pending().length) flush(); });
  window.addEventListener('beforeunload', (event) => { if (hereOnly()) event.preventDefault(); });
  window.addEventListener('pagehide', () => {
    if (!next?.loop) return;
    navigator.sendBeacon('give-back', new URLSearchParams({ 'portal:csrf': token, 'portal:loop': next.loop }));
  });

  if (!form) {
    flush();
    return;
  }
  // A page of one's own template that is too wide scrolls by itself: not always, since nothing sticks to the window then.
  const fitIn = () => body.classList.toggle('wide', body.scrollWidth > body.clientWidth);
  const start = () => {
    if (!isSwapped) {
      fitIn();
      for (const changed of ['load', 'resize']) window.addEventListener(changed, fitIn);
    }
    // The styles stay when the task goes.
    if (isSwapped) body.querySelectorAll('style').forEach((style) => document.head.append(style));
    const leaseLength = Number(form.dataset.leaseSeconds || 0) * 1_000;
    current = {
      loop: form.dataset.loop,
      id: form.elements.namedItem('portal:loop-id').value,
      previous: form.dataset.previous ? JSON.parse(form.dataset.previous) : null,
      shownAt: Date.now(),
      leaseLength,
      leaseEnd: Date.now() + leaseLength,
    };
    form.addEventListener('submit', submit);
    form.addEventListener('input', keepDraft);
    form.addEventListener('change', keepDraft);
    document.addEventListener('portal-changed', keepDraft);
    document.addEventListener('keydown', onKey);
    for (const pressed of ['keydown', 'click']) window.addEventListener(pressed, refuseUnread, true);
    document.addEventListener('pointerdown', isActive);
    byId('skip-form').addEventListener('submit', skip);
    byId('undo').addEventListener('click', undo);
    byId('keys').hidden = false;
    byId('keys').addEventListener('click', () => help.showModal());
    letters.addEventListener('change', () => {
      store.set('letters', letters.checked ? 'on' : 'off');
      applyLetters();
    });
    setInterval(watchLease, 5_000);
    setInterval(watchSession, 5_000);
    watchSession();
    forgetOldDrafts();
    restore(current);
    showProgress();
    showSaving();
    // An answer that waits for its sending was given: the page is for the next one.
    if (isSwapped && store.get(`outbox:${current.id}`) && !current.previous) goOn();
    flush();
  };
  if (document.readyState === 'complete') start();
  else document.addEventListener('DOMContentLoaded', start);
})();
