"use strict";
(() => {
  const place = document.querySelector("[data-passkey]");
  if (!place || !window.PublicKeyCredential) { return; }
  const button = place.querySelector("button");
  const told = place.querySelector("[role=status]");
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));
  const ask = async (path, body) => {
    const answer = await fetch(`/api/v1${path}`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body || {}),
    });
    const said = answer.status === 204 ? {} : await answer.json();
    if (!answer.ok) { throw new Error([said.title, said.detail, said.advice].filter(Boolean).join(": ")); }
    return said;
  };
  const written = (credential) => {
    const given = credential.response;
    const response = { clientDataJSON: text(given.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (given[name]) { response[name] = text(given[name]); }
    }
    if (given.getTransports) { response.transports = given.getTransports(); }
    return {
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment, clientExtensionResults: credential.getClientExtensionResults(),
    };
  };
  const add = async () => {
    const options = await ask("/passkeys/challenge");
    const publicKey = {
      ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: named(options.excludeCredentials),
    };
    const credential = await navigator.credentials.create({ publicKey });
    await ask("/passkeys", { credential: written(credential), name: place.querySelector("input").value });
    window.location.reload();
  };
  const signIn = async () => {
    const options = await ask("/sessions/passkey/challenge");
    const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: named(options.allowCredentials) };
    const credential = await navigator.credentials.get({ publicKey });
    await ask("/sessions/passkey", { credential: written(credential) });
    window.location.assign(place.dataset.wanted);
  };
  button.disabled = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    told.textContent = "";
    try {
      await (place.dataset.passkey === "add" ? add() : signIn());
    } catch (error) {
      told.textContent = error.name === "NotAllowedError" ? "Nothing was chosen." : error.message;
      button.disabled = false;
    }
  });
})();
