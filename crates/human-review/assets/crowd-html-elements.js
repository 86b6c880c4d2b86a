// The crowd elements that text tasks for Amazon A2I use, as small custom elements in the light DOM, and
// the serialisation of the task form. Elements are defined once the page is parsed, so that each finds its
// children; 'all-crowd-elements-ready' tells a template's own script that they are there.
(() => {
  'use strict';
  if (window.crowdElementsLoaded) return; // the page and the template may both load this file
  window.crowdElementsLoaded = true;

  // What the page's policy blocks would be a dead button: the page of a template of one's own says so.
  const blocked = new Set();
  const INLINE = { 'script-src-attr': 'an inline handler', 'script-src-elem': 'an inline script', 'style-src-elem': 'an inline style' };
  const whatWasBlocked = ({ blockedURI, effectiveDirective }) => {
    if (blockedURI === 'inline') return INLINE[effectiveDirective] ?? 'something inline';
    return URL.canParse?.(blockedURI) ? new URL(blockedURI).host || blockedURI : blockedURI;
  };
  const sayBlocked = () => {
    const place = document.getElementById('blocked-warning');
    if (!place || !blocked.size) return;
    place.textContent = `The security policy of this portal blocked parts of this page, which may not work: ${[...blocked].join(', ')}. Please tell the operator.`;
  };
  document.addEventListener('securitypolicyviolation', (event) => {
    blocked.add(`${whatWasBlocked(event)} (${event.effectiveDirective})`);
    sayBlocked();
  });

  // Names that begin so are the portal's own and no part of an answer.
  const OWN = 'portal:';
  let groups = 0;

  // Makes an element; text is never parsed as HTML.
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // JSON as templates write it into attributes: also in single quotes with escapes, and names without quotes.
  const parseRelaxed = (text) => {
    try {
      return JSON.parse(text);
    } catch { /* try the notation of JavaScript */ }
    const escapes = { n: '\n', t: '\t', r: '\r' };
    const token = /"((?:\\[^]|[^"\\])*)"|'((?:\\[^]|[^'\\])*)'|([\p{L}_$][\p{L}\p{N}_$]*)/gu;
    const json = text.replace(token, (whole, double, single, word) => {
      if (word !== undefined) return ['true', 'false', 'null'].includes(word) ? word : JSON.stringify(word);
      const plain = (double ?? single).replace(/\\(?:u([0-9a-fA-F]{4})|([^]))/g, (_, code, escaped) => (
        code ? String.fromCharCode(parseInt(code, 16)) : escapes[escaped] ?? escaped));
      return JSON.stringify(plain);
    });
    try {
      return JSON.parse(json.replace(/,\s*([\]}])/g, '$1'));
    } catch {
      return undefined;
    }
  };

  // Categories: an array in any notation; plain commas are tolerated.
  const parseList = (text) => {
    const source = text || '[]';
    const list = parseRelaxed(source);
    if (Array.isArray(list)) return list.map(String);
    return source.split(',').map((item) => item.trim()).filter(Boolean);
  };

  // A text attribute. Where the template passes its value through to_json, which the server marks, it is JSON.
  const readText = (element, name) => {
    const text = element.getAttribute(name) || '';
    if (!element.hasAttribute(`json-${name}`)) return text;
    const value = parseRelaxed(text);
    return typeof value === 'string' ? value : text;
  };

  class CrowdElement extends HTMLElement {
    connectedCallback() {
      if (this.isBuilt) return;
      this.isBuilt = true;
      // A script may have set these before the element was defined.
      const early = ['value', 'checked', 'disabled'].filter((name) => Object.hasOwn(this, name));
      const values = early.map((name) => [name, this[name]]);
      early.forEach((name) => delete this[name]);
      this.build();
      values.forEach(([name, value]) => { this[name] = value; });
    }

    build() {}

    get name() { return this.getAttribute('name'); }

    set name(value) { this.setAttribute('name', value); }
  }

  // Leaves out what is typed but is none of the characters that a pattern allows, as on AWS.
  const allowOnly = (control, pattern) => {
    let allowed;
    try {
      allowed = new RegExp(`^(?:${pattern})$`, 'u');
    } catch {
      return; // no pattern, no rule
    }
    control.addEventListener('input', () => {
      const kept = [...control.value].filter((character) => allowed.test(character)).join('');
      if (kept !== control.value) control.value = kept;
    });
  };

  // Says why an entry is refused in the template's words.
  const refuseWith = (control, words) => {
    control.addEventListener('invalid', () => control.setCustomValidity(words));
    control.addEventListener('input', () => control.setCustomValidity(''));
  };

  // A labelled native control; attributes that it knows are handed down.
  class CrowdField extends CrowdElement {
    build() {
      this.control = this.makeControl();
      const isNamed = this.getAttribute('label') || this.control.type === 'checkbox' || this.control.type === 'radio';
      if (!isNamed && this.name) this.control.setAttribute('aria-label', this.name);
      for (const name of ['type', 'required', 'placeholder', 'rows', 'min', 'max', 'step', 'pattern', 'disabled']) {
        if (this.hasAttribute(name) && !(name === 'type' && this.control.type !== 'text')) {
          this.control.setAttribute(name, this.getAttribute(name));
        }
      }
      for (const [from, to] of [['max-length', 'maxlength'], ['min-length', 'minlength'], ['maxlength', 'maxlength'],
        ['minlength', 'minlength'], ['auto-focus', 'autofocus']]) {
        if (this.hasAttribute(from)) this.control.setAttribute(to, this.getAttribute(from));
      }
      if (this.hasAttribute('allowed-pattern') && this.hasAttribute('auto-validate')) allowOnly(this.control, this.getAttribute('allowed-pattern'));
      if (this.hasAttribute('error-message')) refuseWith(this.control, this.getAttribute('error-message'));
      const label = make('label', {}, ...this.labelAndControl());
      this.append(label);
    }

    labelAndControl() {
      return [make('span', { textContent: this.getAttribute('label') || '' }), this.control];
    }

    get value() { return this.control ? this.control.value : this.getAttribute('value') || ''; }

    set value(value) { this.control.value = value; }

    get disabled() { return this.control.disabled; }

    set disabled(value) { this.control.disabled = value; }

    focus() { this.control.focus(); }

    answer() { return this.value; }

    restore(value) { this.value = value ?? ''; }
  }

  class CrowdInput extends CrowdField {
    makeControl() {
      const value = this.getAttribute('value') || readText(this, 'initial-value');
      return make('input', { type: 'text', value });
    }
  }

  class CrowdTextArea extends CrowdField {
    makeControl() {
      const value = this.getAttribute('value') || readText(this, 'initial-value') || this.textContent.trim();
      this.textContent = '';
      return make('textarea', { value });
    }
  }

  // It stands at its least value until it is moved, and shows where it stands. One that is required has to be moved.
  class CrowdSlider extends CrowdField {
    makeControl() {
      const control = document.createElement('input');
      // Before the type: a range puts its value within the limits that it has then.
      for (const name of ['min', 'max', 'step']) {
        if (this.hasAttribute(name)) control.setAttribute(name, this.getAttribute(name));
      }
      control.type = 'range';
      control.value = this.getAttribute('value') ?? this.getAttribute('min') ?? '0';
      this.shown = make('output', { value: control.value });
      if (this.hasAttribute('required')) control.setCustomValidity(this.getAttribute('error-message') || 'Please move the slider.');
      for (const moved of ['input', 'change', 'click', 'keyup']) control.addEventListener(moved, (event) => this.moved(event));
      return control;
    }

    moved(event) {
      this.shown.value = this.control.value;
      if (event?.key !== 'Tab') this.control.setCustomValidity('');
    }

    labelAndControl() { return [...super.labelAndControl(), this.shown]; }

    get value() { return super.value; }

    set value(value) {
      this.control.value = value;
      this.moved();
    }

    answer() { return Number(this.value); }

    restore(value) { if (value !== undefined) this.value = value; }
  }

  // Checkbox, toggle and radio: {"<value or on>": true|false}.
  class CrowdCheckbox extends CrowdField {
    makeControl() { return make('input', { type: 'checkbox', checked: this.hasAttribute('checked') }); }

    labelAndControl() {
      const text = make('span', {}, ...this.childNodes);
      if (this.hasAttribute('label')) text.append(this.getAttribute('label'));
      return [this.control, text];
    }

    get value() { return this.getAttribute('value') || 'on'; }

    set value(value) { this.setAttribute('value', value); }

    get checked() { return this.control ? this.control.checked : this.hasAttribute('checked'); }

    set checked(value) { this.control.checked = value; }

    answer() { return { [this.value]: this.checked }; }

    restore(value) { this.checked = value?.[this.value] === true; }
  }

  class CrowdRadioButton extends CrowdCheckbox {
    makeControl() {
      const group = this.closest('crowd-radio-group');
      if (group) group.radioName ||= `${OWN}radio-${groups += 1}`;
      const name = group ? group.radioName : `${OWN}radio-${this.name}`;
      return make('input', { type: 'radio', name, checked: this.hasAttribute('checked') });
    }
  }

  class CrowdRadioGroup extends CrowdElement {
    build() { this.setAttribute('role', 'radiogroup'); }
  }

  // One choice of several categories: {"label": "X"}.
  class CrowdClassifier extends CrowdElement {
    build() {
      const header = readText(this, 'header');
      const parts = (selector) => [...this.children].filter((child) => child.matches(selector));
      const help = parts('full-instructions').map((full) => {
        const title = full.getAttribute('header') || 'Instructions';
        return make('details', {}, make('summary', { textContent: title }), full);
      });
      const choices = make('fieldset', { className: 'crowd-choices' }, make('legend', { textContent: header }));
      const group = `${OWN}choice-${groups += 1}`;
      for (const label of this.categories()) {
        const control = make('input', { type: this.controlType(), name: group, value: label });
        control.required = this.controlType() === 'radio';
        control.checked = this.isChosen(label);
        control.addEventListener('change', () => this.changed(control));
        choices.append(make('label', {}, control, make('span', { textContent: label, dir: 'auto' })));
      }
      this.append(...parts('short-instructions'), ...help, ...parts('classification-target'), choices);
    }

    categories() {
      const categories = parseList(this.getAttribute('categories'));
      const exclusion = this.getAttribute('exclusion-category');
      if (!exclusion) return categories;
      const parsed = parseRelaxed(exclusion);
      const text = parsed && typeof parsed === 'object' ? parsed.text : parsed;
      return [...categories, String(text ?? exclusion)];
    }

    controlType() { return 'radio'; }

    changed() {}

    controls() { return [...this.querySelectorAll('.crowd-choices input')]; }

    isChosen(label) {
      const initial = this.getAttribute('initial-value');
      const parsed = initial && parseRelaxed(initial);
      return [initial, parsed, parsed?.label].includes(label);
    }

    chosen() {
      return [...this.querySelectorAll('.crowd-choices input:checked')].map((control) => control.value);
    }

    answer() {
      const [label] = this.chosen();
      return label === undefined ? undefined : { label };
    }

    restore(value) { this.choose(value?.label === undefined ? [] : [value.label]); }

    choose(labels) { this.controls().forEach((control) => { control.checked = labels.includes(control.value); }); }
  }

  // Any number of categories: {"labels": ["A", "B"]}.
  class CrowdClassifierMultiSelect extends CrowdClassifier {
    controlType() { return 'checkbox'; }

    isChosen(label) { return parseList(this.getAttribute('initial-value')).includes(label); }

    answer() { return { labels: this.chosen() }; }

    restore(value) { this.choose(value?.labels ?? []); }

    // The exclusion category stands alone.
    changed(control) {
      if (!control.checked || !this.hasAttribute('exclusion-category')) return;
      const all = this.controls();
      const exclusion = all.at(-1);
      const others = control === exclusion ? all.slice(0, -1) : [exclusion];
      others.forEach((other) => { other.checked = false; });
    }
  }

  class CrowdButton extends CrowdElement {
    build() {
      const submits = this.getAttribute('form-action') === 'submit';
      const button = make('button', { type: submits ? 'submit' : 'button' }, ...this.childNodes);
      button.disabled = this.hasAttribute('disabled');
      if (this.getAttribute('form-action') === 'reset') button.type = 'reset';
      this.append(button);
    }
  }

  const hasSubmit = (root) => root.querySelector(
    'crowd-button[form-action=submit], button[type=submit], button:not([type]), input[type=submit]');

  class CrowdForm extends CrowdElement {
    build() {
      if (!hasSubmit(this)) this.append(make('button', { type: 'submit', textContent: 'Submit' }));
    }

    submit() { this.closest('form').requestSubmit(); }
  }

  class CrowdInstructions extends CrowdElement {
    build() {
      const text = this.getAttribute('link-text') || 'Instructions';
      this.append(make('details', {}, make('summary', { textContent: text }), ...this.childNodes));
    }
  }

  // A tab or card shows its heading above its content.
  class CrowdSection extends CrowdElement {
    build() {
      const heading = this.getAttribute('header') || this.getAttribute('heading');
      if (heading) this.prepend(make('h3', { textContent: heading }));
    }
  }

  class CrowdAlert extends CrowdElement {
    build() { this.setAttribute('role', 'status'); }
  }

  // A button opens it; Escape and a button close it.
  class CrowdModal extends CrowdElement {
    build() {
      const text = this.getAttribute('link-text') || 'Click to open modal';
      const opener = make('button', { type: 'button', className: 'quiet', textContent: text });
      const closer = make('button', { type: 'button', className: 'quiet', textContent: 'Close' });
      this.dialog = make('dialog', {}, ...this.childNodes, closer);
      this.dialog.setAttribute('aria-label', text);
      opener.addEventListener('click', () => this.open());
      closer.addEventListener('click', () => this.close());
      this.append(opener, this.dialog);
      if (this.hasAttribute('open')) this.open();
    }

    open() { if (!this.dialog.open) this.dialog.showModal(); }

    close() { this.dialog.close(); }
  }

  class CrowdContainer extends CrowdElement {}

  const ELEMENTS = {
    'crowd-form': CrowdForm,
    'crowd-classifier': CrowdClassifier,
    'crowd-classifier-multi-select': CrowdClassifierMultiSelect,
    'crowd-input': CrowdInput,
    'crowd-text-area': CrowdTextArea,
    'crowd-slider': CrowdSlider,
    'crowd-checkbox': CrowdCheckbox,
    'crowd-toggle-button': class extends CrowdCheckbox { get value() { return 'on'; } },
    'crowd-radio-group': CrowdRadioGroup,
    'crowd-radio-button': CrowdRadioButton,
    'crowd-button': CrowdButton,
    'crowd-instructions': CrowdInstructions,
    'crowd-card': CrowdSection,
    'crowd-tab': CrowdSection,
    'crowd-tabs': CrowdContainer,
    'crowd-alert': CrowdAlert,
    'crowd-modal': CrowdModal,
  };

  // What a plain control adds to the answer.
  const plainAnswer = (control) => {
    if (control.type === 'radio' || control.type === 'checkbox') return { [control.value]: control.checked };
    if (control.multiple) return [...control.selectedOptions].map((option) => option.value);
    return control.value;
  };

  const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

  // Input name to value, in the forms that A2I writes to output.json.
  const serialise = (form) => {
    const answer = new Map();
    const silent = ['submit', 'button', 'reset', 'image', 'file'];
    for (const element of form.querySelectorAll('[name]')) {
      const name = element.getAttribute('name');
      if (!name || name.startsWith(OWN)) continue;
      let value;
      if (typeof element.answer === 'function') value = element.answer();
      else if (element.matches('input, select, textarea') && !element.disabled && !silent.includes(element.type)) {
        value = plainAnswer(element);
      }
      if (value === undefined) continue;
      const before = answer.get(name);
      answer.set(name, isObject(before) && isObject(value) ? { ...before, ...value } : value);
    }
    return Object.fromEntries(answer);
  };

  // Fills a form with an answer: the other way round than `serialise`. What the answer does not name is blank.
  const restore = (form, answer) => {
    for (const element of form.querySelectorAll('[name]')) {
      const name = element.getAttribute('name');
      if (!name || name.startsWith(OWN)) continue;
      const value = answer[name];
      if (typeof element.restore === 'function') element.restore(value);
      else if (element.matches('input[type=radio], input[type=checkbox]')) element.checked = value?.[element.value] === true;
      else if (element.matches('select[multiple]')) {
        [...element.options].forEach((option) => { option.selected = Boolean(value?.includes(option.value)); });
      } else if (element.matches('input, select, textarea') && value !== undefined) element.value = value;
    }
  };

  const start = () => {
    // A class of its own for each name: the registry takes none twice.
    for (const [name, Element] of Object.entries(ELEMENTS)) customElements.define(name, class extends Element {});
    const form = document.getElementById('task-form');
    if (!form) return;
    if (!hasSubmit(form)) form.append(make('button', { type: 'submit', textContent: 'Submit' }));
    form.portalAnswer = () => serialise(form);
    form.portalRestore = (answer) => restore(form, answer);
    form.addEventListener('submit', (event) => {
      const crowdForm = form.querySelector('crowd-form');
      const own = new Event('submit', { cancelable: true });
      if (crowdForm && !crowdForm.dispatchEvent(own)) {
        event.preventDefault();
        return;
      }
      form.elements.namedItem(`${OWN}answer`).value = JSON.stringify(serialise(form));
    });
    document.dispatchEvent(new Event('all-crowd-elements-ready'));
  };

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
