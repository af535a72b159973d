//! Formulas of a launch, whose sums and products are as large as can be where a `usize` does not hold them: a buffer is
//! shorter than that, and so is a grid.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{BinOp, Expr, ExprBinary, ExprCast, ExprMethodCall, ExprUnary};

/// The formula, with `+` and `*` that do not overflow.
pub fn saturating(formula: &Expr) -> TokenStream {
    match formula {
        Expr::Binary(ExprBinary { left, op, right, .. }) => {
            let (left, right) = (saturating(left), saturating(right));
            match op {
                BinOp::Mul(_) => quote!(::cuda_std::expansion::product(#left, #right)),
                BinOp::Add(_) => quote!(::cuda_std::expansion::sum(#left, #right)),
                op => quote!((#left #op #right)),
            }
        }
        Expr::Paren(inner) => saturating(&inner.expr),
        Expr::Unary(ExprUnary { op, expr, .. }) => {
            let inner = saturating(expr);
            quote!((#op #inner))
        }
        Expr::Cast(ExprCast { expr, ty, .. }) => {
            let inner = saturating(expr);
            quote!((#inner as #ty))
        }
        Expr::MethodCall(ExprMethodCall { receiver, method, turbofish, args, .. }) => {
            let (receiver, args) = (saturating(receiver), args.iter().map(saturating));
            quote!(#receiver.#method #turbofish (#(#args),*))
        }
        other => other.to_token_stream(),
    }
}
