// Asks `@sigstore/verify` and signs with node's own keys: JSON on standard input, JSON on standard output.
const { Verifier, toTrustMaterial, toSignedEntity } = require('@sigstore/verify');
const { bundleFromJSON, bundleToJSON, toDSSEBundle, BUNDLE_V03_MEDIA_TYPE } = require('@sigstore/bundle');
const { crypto: core, dsse } = require('@sigstore/core');
const crypto = require('node:crypto');

const asked = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const NOBODY = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };

function verified(text) {
  const keys = {};
  for (const [hint, pem] of Object.entries(asked.keys)) {
    keys[hint] = { publicKey: core.createPublicKey(pem), validFor: () => true };
  }
  const material = toTrustMaterial(NOBODY, (hint) => {
    if (!keys[hint]) throw new Error('no such key: ' + hint);
    return keys[hint];
  });
  const verifier = new Verifier(material, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
  try {
    const bundle = bundleFromJSON(JSON.parse(text));
    if (bundle.mediaType !== BUNDLE_V03_MEDIA_TYPE) throw new Error('another media type');
    verifier.verify(toSignedEntity(bundle));
    return bundle.content.dsseEnvelope.payload.toString('base64');
  } catch (error) {
    return 'refused: ' + error.message;
  }
}

function signed({ pem, payload, payloadType, hint }) {
  const data = Buffer.from(payload, 'base64');
  const said = dsse.preAuthEncoding(payloadType, data);
  const key = crypto.createPrivateKey(pem);
  const signature = crypto.sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', said, key);
  const made = toDSSEBundle({ artifact: data, artifactType: payloadType, signature, keyHint: hint, certificateChain: false });
  return JSON.stringify(bundleToJSON(made));
}

const answer = { verified: (asked.bundles || []).map(verified), signed: (asked.sign || []).map(signed), seconds: 0 };
if (asked.rounds) {
  const start = process.hrtime.bigint();
  for (let n = 0; n < asked.rounds; n++) verified(asked.bundles[0]);
  answer.seconds = Number(process.hrtime.bigint() - start) / 1e9;
}
process.stdout.write(JSON.stringify(answer));
