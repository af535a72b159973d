//! What stands in the parentheses of `#[kernel(…)]`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::token::Paren;
use syn::{
    AngleBracketedGenericArguments, Error, Expr, ExprLit, ExprRange, Ident, Lit, LitInt, LitStr, RangeLimits, Result,
    Token, parenthesized,
};

/// The launch shape and the instances, as they were written.
#[derive(Default)]
pub struct Attributes {
    pub block: Option<Expr>,
    pub threads: Option<Threads>,
    pub grid: Option<Expr>,
    pub shared: Option<Expr>,
    pub require: Vec<Expr>,
    pub instances: Vec<Instance>,
    /// The one architecture whose PTX has the kernel.
    pub only: Option<LitStr>,
    /// `rolled` or `small`: what the GPU's code is to be like.
    pub rolled: bool,
    pub small: bool,
    /// The most registers of a thread.
    pub registers: Option<Registers>,
}

/// The least and the most threads of blocks that may be asked for.
pub struct Threads {
    pub least: Expr,
    pub most: Expr,
}

impl Parse for Threads {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let written: Expr = input.parse()?;
        let Expr::Range(ExprRange { start: Some(least), end: Some(most), limits: RangeLimits::Closed(_), .. }) =
            written
        else {
            let message = "write the bounds as `least..=most`, such as 32..=1024; one size alone is `block = …`";
            return Err(Error::new_spanned(written, message));
        };
        // Blocks that are asked for are whole warps. Of bounds that are computed the launch sees to it.
        for bound in [&least, &most] {
            if number(bound).is_some_and(|threads| threads == 0 || threads % WARP != 0) {
                return Err(Error::new_spanned(
                    bound,
                    "the bounds are multiples of 32, from 32 on: blocks that are asked for are whole warps",
                ));
            }
        }
        if let (Some(fewest), Some(threads)) = (number(&least), number(&most))
            && fewest > threads
        {
            return Err(Error::new_spanned(most, "no block lies between these bounds; the least stands first"));
        }
        Ok(Self { least: *least, most: *most })
    }
}

/// Threads of a warp.
const WARP: u64 = 32;

/// The number that is written, if one is.
fn number(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => literal.base10_parse().ok(),
        _ => None,
    }
}

/// The most registers that the driver's compiler is to give a thread.
pub struct Registers(pub u32);

impl Parse for Registers {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let count: LitInt = input.parse()?;
        match count.base10_parse() {
            Ok(most @ 16..=255) => Ok(Self(most)),
            _ => Err(Error::new(count.span(), "a thread has 16 to 255 registers")),
        }
    }
}

/// `name<arguments>` in `instances(…)`, with `rolled` or `registers(…)` before it or without.
pub struct Instance {
    pub rolled: bool,
    pub registers: Option<Registers>,
    pub name: Ident,
    pub arguments: AngleBracketedGenericArguments,
}

impl Parse for Instance {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (mut rolled, mut registers) = (false, None);
        while input.peek(Ident) && (input.peek2(Ident) || input.peek2(Paren)) {
            let word: Ident = input.parse()?;
            match word.to_string().as_str() {
                "rolled" => flag(&mut rolled, &word)?,
                "registers" => {
                    let number;
                    parenthesized!(number in input);
                    put(&mut registers, &word, number.parse()?)?;
                }
                _ => {
                    return Err(Error::new(
                        word.span(),
                        format!("unknown word `{word}` before an instance; there are `rolled` and `registers(…)`"),
                    ));
                }
            }
        }
        Ok(Self { rolled, registers, name: input.parse()?, arguments: input.parse()? })
    }
}

impl Parse for Attributes {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attributes = Self::default();
        while !input.is_empty() {
            attributes.parse_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(attributes)
    }
}

impl Attributes {
    fn parse_one(&mut self, input: ParseStream<'_>) -> Result<()> {
        let key: Ident = input.parse()?;
        match key.to_string().as_str() {
            "block" => set(&mut self.block, &key, input),
            "grid" => set(&mut self.grid, &key, input),
            "shared" => set(&mut self.shared, &key, input),
            "only" => set(&mut self.only, &key, input),
            "threads" => set(&mut self.threads, &key, input),
            "require" => {
                self.require.extend(list::<Expr>(input)?);
                Ok(())
            }
            "instances" => {
                self.instances.extend(list::<Instance>(input)?);
                Ok(())
            }
            "rolled" => flag(&mut self.rolled, &key),
            "small" => flag(&mut self.small, &key),
            "registers" => set(&mut self.registers, &key, input),
            other => Err(Error::new(
                key.span(),
                format!(
                    "unknown key `{other}`; there are block, threads, grid, shared, require(…), instances(…), only, \
                     rolled, small and registers"
                ),
            )),
        }
    }
}

fn set<T: Parse>(slot: &mut Option<T>, key: &Ident, input: ParseStream<'_>) -> Result<()> {
    input.parse::<Token![=]>()?;
    put(slot, key, input.parse()?)
}

fn put<T>(slot: &mut Option<T>, key: &Ident, value: T) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(key.span(), format!("`{key}` is given twice"))),
    }
}

fn flag(slot: &mut bool, key: &Ident) -> Result<()> {
    if std::mem::replace(slot, true) {
        return Err(Error::new(key.span(), format!("`{key}` is given twice")));
    }
    Ok(())
}

fn list<T: Parse>(input: ParseStream<'_>) -> Result<Punctuated<T, Token![,]>> {
    let content;
    parenthesized!(content in input);
    Punctuated::parse_terminated(&content)
}

/// A size of up to three components, each of them an expression; the missing ones are 1.
pub fn components(size: &Expr) -> Result<[TokenStream; 3]> {
    let one = || quote!(1);
    let parts: Vec<_> = match size {
        Expr::Tuple(tuple) => tuple.elems.iter().map(ToTokens::to_token_stream).collect(),
        other => vec![other.to_token_stream()],
    };
    if parts.is_empty() || parts.len() > 3 {
        return Err(Error::new(size.span(), "a size has one, two or three components"));
    }
    let mut parts = parts.into_iter();
    Ok(std::array::from_fn(|_| parts.next().unwrap_or_else(one)))
}

/// Tokens as their author wrote them, for messages; where lines were broken there is a space.
///
/// Token by token, because the place of an expression is that of its first token on a stable compiler.
pub fn source(tokens: &impl ToTokens) -> String {
    let mut text = Text::default();
    text.append(tokens.to_token_stream());
    text.written
}

/// A line and a column.
type Place = (usize, usize);

/// Text that grows, and where in the source its last token ended.
#[derive(Default)]
struct Text {
    written: String,
    end: Option<Place>,
}

impl Text {
    fn append(&mut self, tokens: TokenStream) {
        for token in tokens {
            let span = token.span().unwrap();
            let (first, last) = (span.start(), span.end());
            let (start, end) = ((first.line(), first.column()), (last.line(), last.column()));
            let TokenTree::Group(group) = token else {
                self.push(&token.to_string(), start, end);
                continue;
            };
            let delimiters = match group.delimiter() {
                Delimiter::Parenthesis => ("(", ")"),
                Delimiter::Brace => ("{", "}"),
                Delimiter::Bracket => ("[", "]"),
                Delimiter::None => {
                    self.append(group.stream());
                    continue;
                }
            };
            self.push(delimiters.0, start, (start.0, start.1 + 1));
            self.append(group.stream());
            self.push(delimiters.1, (end.0, end.1.saturating_sub(1)), end);
        }
    }

    fn push(&mut self, token: &str, start: Place, end: Place) {
        if self.end.is_some_and(|end| end != start) {
            self.written.push(' ');
        }
        self.written.push_str(token);
        self.end = Some(end);
    }
}
