//! Named reasons why a message, a lease, a result or a receipt is not accepted.

use serde::{Deserialize, Serialize};

macro_rules! rejections {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $sentence:literal;)+) => {
        /// Why something was not accepted. Programs branch on the code, people read the sentence.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Rejection {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rejection {
            /// Every rejection there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Stable code, kebab case.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One sentence a volunteer understands.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }
        }
    };
}

rejections! {
    /// More bytes than the named limit.
    TooLarge = "too-large", "The message is larger than allowed.";
    /// Bytes that do not decode into what they should be.
    Malformed = "malformed", "The message is damaged or not one of ours.";
    /// The same value in bytes other than the canonical ones.
    NotCanonical = "not-canonical", "The message is written in a form that is not allowed.";
    /// The signature does not belong to these bytes and this key.
    BadSignature = "bad-signature", "The signature is wrong: the message was changed or forged.";
    /// Signed by a key that has no right to sign this.
    WrongSigner = "wrong-signer", "The message was signed by somebody who may not sign it.";
    /// Signed for another network.
    WrongNetwork = "wrong-network", "The message belongs to another network.";
    /// Expiry time reached.
    Expired = "expired", "The message is too old: its time has run out.";
    /// Issued in the future, beyond the clock skew allowed.
    NotYetValid = "not-yet-valid", "The message is dated in the future; one of the clocks is wrong.";
    /// Seen before, where once is the rule.
    Repeated = "repeated", "This was already received once.";
    /// Refers to a lease that does not exist or has ended.
    UnknownLease = "unknown-lease", "This piece of work is not known or was already given to someone else.";
    /// Refers to a campaign that does not exist or has ended.
    UnknownCampaign = "unknown-campaign", "This research campaign is not known here.";
    /// A second, different result for the same lease.
    ConflictingResult = "conflicting-result", "A different answer for the same piece of work was already received.";
    /// A result with other segments than the lease asks for.
    WrongSegments = "wrong-segments", "The answer does not have the parts that were asked for.";
    /// The root in the result is not the Merkle root of its outputs.
    WrongRoot = "wrong-root", "The answer does not match its own fingerprint.";
    /// A result that the skill cannot have given.
    Implausible = "implausible", "The answer is not one that this research can have.";
    /// A result computed under other engine settings.
    WrongEngine = "wrong-engine", "The answer was computed with a different version of the program.";
    /// The verdict that a receipt stands on is not "accepted".
    RejectedResult = "rejected-result", "The receipt is for a result that was rejected by the other computers.";
    /// Receipt and verdict or result do not belong together.
    MismatchedEvidence = "mismatched-evidence", "The receipt and its evidence do not belong together.";
    /// Fewer agreeing distinct keys than the rule asks for.
    QuorumNotReached = "quorum-not-reached", "Not enough different computers agreed on the result.";
    /// The sampled segments are not the ones that the audit secret draws.
    WrongSample = "wrong-sample", "The parts that were checked are not the ones that the draw gives.";
    /// An id that is not the one derived from the contents.
    WrongId = "wrong-id", "The number of the document does not fit its contents.";
    /// A text for people that does not pass the screen.
    UnfitText = "unfit-text", "The text has characters that are not fit to be shown.";
    /// The sender is suspended.
    Suspended = "suspended", "This computer is suspended because its answers did not hold up.";
    /// Too many requests or open leases.
    TooMany = "too-many", "Too many requests at once; try again later.";
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.sentence(), self.code())
    }
}

impl std::error::Error for Rejection {}
